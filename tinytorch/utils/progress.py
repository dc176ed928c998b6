"""``progress``: a line that says how far a loop is, how fast, and with what loss.

tqdm draws it if it is installed, else a plain line does the same; where the output is
no terminal, that is one line at the end.

    bar = progress(loader, "epoch 1")
    for images, labels in bar:
        ...
        bar.show(images=len(images), loss=loss)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TextIO, TypeVar

__all__ = ["Progress", "progress"]

T = TypeVar("T")
EVERY = 0.1  # seconds between two drawings


class Progress(Generic[T]):
    """An iterable that reports each step; made by `progress`."""

    def __init__(
        self,
        iterable: Iterable[T],
        desc: str = "",
        total: int | None = None,
        file: TextIO | None = None,
        disable: bool = False,
        plain: bool = False,
    ) -> None:
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)  # type: ignore[arg-type]
        self.iterable = iterable
        self.desc = desc
        self.total = total
        self.steps = 0
        self.values: dict[str, Any] = {}
        self.images = 0
        self.disable = disable
        self._file = sys.stderr if file is None else file
        self._bar: Any = None
        self._plain = plain
        self._began = self._drawn = time.monotonic()
        self._width = 0

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("this progress has no length")
        return self.total

    def __iter__(self) -> Iterator[T]:
        self._begin()
        try:
            for item in self.iterable:
                yield item
                self.steps += 1
                self._step()
        finally:
            self._end()

    def show(self, images: int | None = None, **values: Any) -> None:
        """Set what stands behind the bar: the latest loss, accuracy, ...

        Args:
            images: How many examples this step took, for the rate.
            values: Numbers or tensors of one element by name.  A tensor is read only
                when the line is drawn, so that most steps do not wait for it.
        """
        self.values.update(values)
        if images is not None:
            self.images += images

    # ---- drawing ----

    def _begin(self) -> None:
        self.steps = self.images = 0
        self._began = self._drawn = time.monotonic()
        if self.disable or self._plain:
            return
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            return
        self._bar = tqdm(total=self.total, desc=self.desc or None, file=self._file)

    def _step(self) -> None:
        if self.disable:
            return
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update()
        if now - self._drawn < EVERY:
            return
        self._drawn = now
        if self._bar is not None:
            self._bar.set_postfix_str(self._remarks(now), refresh=False)
        elif self._file.isatty():
            self._write("\r", self.line(now))

    def _end(self) -> None:
        if self.disable:
            return
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self._remarks(now))
            self._bar.close()
            self._bar = None
        else:
            start = "\r" if self._file.isatty() else ""
            self._write(start, self.line(now), "\n")

    def _write(self, start: str, line: str, end: str = "") -> None:
        self._file.write(f"{start}{line.ljust(self._width)}{end}")
        self._file.flush()
        self._width = len(line) if start else 0

    def _remarks(self, now: float) -> str:
        passed = max(now - self._began, 1e-9)
        parts = [f"{self.images / passed:,.0f} images/s"] if self.images else []
        for name, value in self.values.items():
            if hasattr(value, "item"):
                value = value.item()
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            parts.append(f"{name} {shown}")
        return ", ".join(parts)

    def line(self, now: float | None = None) -> str:
        """Return the plain line."""
        now = time.monotonic() if now is None else now
        passed = max(now - self._began, 1e-9)
        head = f"{self.desc}: " if self.desc else ""
        clock = _clock(passed)
        if self.total:
            left = passed / self.steps * (self.total - self.steps) if self.steps else 0
            share = 100 * self.steps // self.total
            head += f"{share:3d}% {self.steps}/{self.total} [{clock}<{_clock(left)}"
        else:
            head += f"{self.steps} [{clock}"
        remarks = self._remarks(now)
        rate = f", {self.steps / passed:.4g} steps/s"
        return head + rate + (f", {remarks}]" if remarks else "]")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def progress(
    iterable: Iterable[T],
    desc: str = "",
    total: int | None = None,
    *,
    file: TextIO | None = None,
    disable: bool = False,
    plain: bool = False,
) -> Progress[T]:
    """Return the iterable, with a line on stderr that says how far it is.

    Args:
        iterable: A data loader, a range, ...
        desc: What stands in front.
        total: The number of steps, if the iterable has no length.
        file: Where to write, stderr by default.
        disable: Whether to write nothing.
        plain: Whether to do without tqdm.

    Example:
        >>> sum(progress(range(4), disable=True))
        6
    """
    return Progress(iterable, desc, total, file, disable, plain)
