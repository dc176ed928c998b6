"""The named tuples of ops with several results, printed as PyTorch prints them."""

from __future__ import annotations

from collections import namedtuple

from tinytorch._typing import Any

__all__ = ["named_result"]


def named_result(name: str, fields: str) -> Any:
    """Return the class of an op's results.

    Example:
        >>> print(named_result("max", "values indices")(3, 1))
        torch.return_types.max(
        values=3,
        indices=1)
    """
    make: Any = namedtuple  # noqa: PYI024 - the fields come as data
    base = make(name, fields)

    def __repr__(self: Any) -> str:
        rows = (f"{f}={x!r}" for f, x in zip(self._fields, self, strict=True))
        return f"torch.return_types.{name}(\n" + ",\n".join(rows) + ")"

    members = {
        "__slots__": (),
        "__repr__": __repr__,
        "__module__": "torch.return_types",
    }
    return type(name, (base,), members)
