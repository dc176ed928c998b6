"""A table of kernel calls: count, time, bytes and FLOPs by kernel."""

from __future__ import annotations

from tinytorch._core.executor import Profile
from tinytorch._typing import Any

__all__ = ["profile"]


class profile:
    """Count the kernel calls of a ``with`` block.

    Example:
        >>> with profile() as p:
        ...     y = ones(4, 4) @ ones(4, 4)
        >>> p.calls()["gemm"].count
        1
    """

    def __init__(self) -> None:
        self._profile = Profile()

    def __enter__(self) -> profile:
        self._profile.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._profile.stop()

    def calls(self) -> dict[str, KernelTotal]:
        """Return the totals by name of kernel, the slowest first."""
        rows = self._profile.table().items()
        rows = sorted(rows, key=lambda row: -row[1][1])
        return {name: KernelTotal(*numbers) for name, numbers in rows}

    def table(self) -> str:
        """Return the totals as text, the slowest kernel first."""
        lines = [f"{'kernel':<28}{'calls':>8}{'us':>12}{'MB':>10}{'GFLOP/s':>10}"]
        for name, total in self.calls().items():
            lines.append(
                f"{name:<28}{total.count:>8}{total.seconds * 1e6:>12.1f}"
                f"{total.bytes / 1e6:>10.2f}{total.gflops:>10.2f}"
            )
        return "\n".join(lines)

    __str__ = table


class KernelTotal:
    """What the calls of one kernel cost together."""

    __slots__ = ("bytes", "count", "flops", "seconds")

    def __init__(self, count: int, seconds: float, bytes: int, flops: float) -> None:
        self.count = count
        self.seconds = seconds
        self.bytes = bytes
        self.flops = flops

    @property
    def gflops(self) -> float:
        """Floating-point operations a second, in units of 10^9."""
        return self.flops / self.seconds * 1e-9 if self.seconds else 0.0

    def __repr__(self) -> str:
        return (
            f"KernelTotal(count={self.count}, seconds={self.seconds:.3g}, "
            f"bytes={self.bytes}, flops={self.flops:.3g})"
        )
