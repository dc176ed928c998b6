"""One training step of a small network: zero_grad, forward, loss, backward, step.

    python -m benchmarks.training                 all rows
    python -m benchmarks.training moons Adam      rows whose name has one of the words

Modules and optimizers, the same text for both libraries.  In rows "captured" tinytorch
replays the step that `capture` has recorded, and PyTorch runs as always.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.harness import Case, main

Build = Callable[[Any], Callable[[], Any]]

# widths, batch, whether classes, times faster than PyTorch: eager, captured
NETWORKS: dict[str, tuple[list[int], int, bool, float, float]] = {
    "1-16-1 ReLU, MSE, batch 16": ([1, 16, 1], 16, False, 50, 120),
    "2-24-12-1 (moons), batch 100": ([2, 24, 12, 1], 100, False, 25, 35),
    "8-64-64-1, batch 64": ([8, 64, 64, 1], 64, False, 14, 18),
    "784-128-10, cross-entropy, batch 64": ([784, 128, 10], 64, True, 3, 3.5),
    "784-128-64-10, batch 128": ([784, 128, 64, 10], 128, True, 2.5, 2.5),
    "784-512-512-10, batch 128": ([784, 512, 512, 10], 128, True, 2, 2),
}


def mlp(torch: Any, sizes: list[int], dtype: Any) -> Any:
    """Return linear layers with ReLU between them."""
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [torch.nn.Linear(a, b, dtype=dtype), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def training(sizes: list[int], batch: int, classes: bool, optimizer: str,
             captured: bool = False, double: bool = False) -> Build:
    """Return a case that trains an MLP of the given widths."""

    def build(torch: Any) -> Callable[[], Any]:
        optim = import_module(f"{torch.__name__}.optim")
        torch.manual_seed(0)
        dtype = torch.float64 if double else torch.float32
        model = mlp(torch, sizes, dtype)
        loss_of = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()
        update = getattr(optim, optimizer)(model.parameters(), lr=0.001)
        x = torch.randn(batch, sizes[0], dtype=dtype)
        y = (torch.randint(0, sizes[-1], (batch,)) if classes
             else torch.randn(batch, sizes[-1], dtype=dtype))

        def step(x: Any, y: Any) -> Any:
            update.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            update.step()
            return loss

        if captured and hasattr(torch, "capture"):
            step = torch.capture(step)
        return lambda: step(x, y)

    return build


def rows() -> list[Case]:
    """Return the networks with SGD and Adam, eager and captured."""
    cases = []
    for captured in (False, True):
        for optimizer in ("SGD", "Adam"):
            for name, (sizes, batch, classes, *targets) in NETWORKS.items():
                way = " captured" if captured else ""
                build = training(sizes, batch, classes, optimizer, captured)
                cases.append(
                    Case(f"{name}, {optimizer}{way}", build, targets[captured])
                )
    # One sample a step in float64, as TinyTorch-CPP's programs train.
    for name, sizes in (("linear regression", [1, 1]), ("2-4-1", [2, 4, 1])):
        for captured, target in ((False, 29), (True, 120)):
            way = " captured" if captured else ""
            build = training(sizes, 1, False, "SGD", captured, double=True)
            cases.append(Case(f"{name}, batch 1, float64{way}", build, target))
    return cases


CASES = rows()

if __name__ == "__main__":
    main(CASES, __doc__ or "")
