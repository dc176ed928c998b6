"""The cost of one small op (float32, 4x4, called from Python).

    python -m benchmarks.ops

Targets: the times of the project's plan over PyTorch's on the machine they were set on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main


def binary(text: str, grad: bool = False) -> Callable[[Any], Callable[[], Any]]:
    """Return a case that evaluates an expression of a, b and c."""

    def build(torch: Any) -> Callable[[], Any]:
        torch.manual_seed(0)
        names = {name: torch.randn(4, 4) for name in "abcx"}
        if grad:
            names["a"].requires_grad_()
        run: Callable[[], Any] = eval(f"lambda a, b, c, x: lambda: {text}")(**names)
        return run

    return build


def chain(torch: Any) -> Callable[[], Any]:
    """(a*b + c).sum().backward()"""
    torch.manual_seed(0)
    a = torch.randn(4, 4, requires_grad=True)
    b, c = torch.randn(4, 4), torch.randn(4, 4)

    def run() -> None:
        a.grad = None
        (a * b + c).sum().backward()

    return run


CASES = [
    Case("a + b", binary("a + b"), 8.7),
    Case("a + b with grad recorded", binary("a + b", grad=True), 9.5),
    Case("a * 2.0", binary("a * 2.0"), 10),
    Case("a @ b", binary("a @ b"), 6),
    Case("x.sum()", binary("x.sum()"), 10),
    Case("x[0]", binary("x[0]"), 4),
    Case("x[:, 1:3]", binary("x[:, 1:3]"), 8),
    Case("x.view(16)", binary("x.view(16)"), 4),
    Case("x.t()", binary("x.t()"), 4),
    Case("(a*b + c).sum().backward()", chain, 37),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
