"""Training that can be stopped at any moment and goes on as if it had not been.

A checkpoint holds the state of all that a run consists of, and of the random number
generators.  It appears in its folder at once and whole: a reader finds the newest
complete one, wherever the writer was killed.
"""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from contextlib import suppress
from typing import Any

import tinytorch
from tinytorch.serialization import load, save

__all__ = ["Checkpoints", "random_state", "set_random_state"]

_NAME = re.compile(r"checkpoint-(\d{9,})\.pt")
_LEFT_OVER = re.compile(r"\.checkpoint-\d{9,}\.pt\.[0-9a-f]{12}\.tmp")
_STALE = 3600.0  # seconds after which a temporary file has no writer any more


def random_state() -> dict[str, Any]:
    """Return the states of the generators of tinytorch, Python and NumPy, as data.

    Those of Python and NumPy are there if the program has imported them.
    """
    state: dict[str, Any] = {"tinytorch": tinytorch.get_rng_state()}
    cuda: Any = tinytorch.cuda  # has generators only where there is a device
    if cuda.is_available():
        state["cuda"] = cuda.get_rng_state_all()
    if "random" in sys.modules:
        state["python"] = sys.modules["random"].getstate()
    if "numpy.random" in sys.modules:
        kind, keys, *rest = sys.modules["numpy.random"].get_state(legacy=True)
        state["numpy"] = (kind, keys.tolist(), *rest)
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set the generators to what `random_state` returned."""
    tinytorch.set_rng_state(state["tinytorch"])
    cuda: Any = tinytorch.cuda
    if "cuda" in state and cuda.is_available():
        cuda.set_rng_state_all(state["cuda"])
    if "python" in state:
        import random

        version, words, gauss = state["python"]
        random.setstate((version, tuple(words), gauss))
    if "numpy" in state:
        import numpy.random

        kind, keys, *rest = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype="uint32"), *rest))


class Checkpoints:
    """The checkpoints of one run, in a folder of their own.

    Args:
        folder: where they are; made if need be.
        keep: how many of the newest stay.
        **parts: what a run consists of: whatever has `state_dict` and
            `load_state_dict`, such as a model, an optimizer, a scheduler, a loader.

    Example:
        >>> import tempfile, tinytorch
        >>> from tinytorch.nn import Linear
        >>> folder, model = tempfile.mkdtemp(), Linear(2, 1)
        >>> Checkpoints(folder, model=model).save(1, epoch=5)["step"]
        1
        >>> Checkpoints(folder, model=model).restore()
        {'step': 1, 'epoch': 5}
    """

    def __init__(
        self, folder: str | os.PathLike[str], keep: int = 3, **parts: Any
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep: expected at least 1, got {keep}")
        for name, part in parts.items():
            if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
                raise TypeError(f"{name}: expected something with state_dict and "
                                f"load_state_dict, got {type(part).__name__}")
        self.folder = os.fspath(folder)
        self.keep = keep
        self.parts = parts
        os.makedirs(self.folder, exist_ok=True)

    def path(self, step: int) -> str:
        """Return the file of a step's checkpoint, there or not."""
        return os.path.join(self.folder, f"checkpoint-{step:09d}.pt")

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, oldest first."""
        found = map(_NAME.fullmatch, os.listdir(self.folder))
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, **values: Any) -> dict[str, Any]:
        """Write a checkpoint, then remove those that are too old.

        Args:
            step: its number; the largest is the newest.
            **values: plain data and tensors to keep with it.

        Returns:
            What `restore` will return.
        """
        if step < 0:
            raise ValueError(f"step: expected 0 or more, got {step}")
        values = {"step": step, **values}
        save({
            "values": values,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "random": random_state(),
        }, self.path(step))
        self._clean()
        return values

    def restore(self, step: int | None = None) -> dict[str, Any] | None:
        """Put all parts and generators back to a checkpoint's state.

        Args:
            step: which one. Default: the newest that can be read; a warning names
                those that cannot.

        Returns:
            The values kept with it and the step; None if there is no checkpoint.
        """
        if step is not None:
            return self._put_back(self._read(step))
        for candidate in reversed(self.steps()):
            try:
                content = self._read(candidate)
            except FileNotFoundError:
                continue  # a writer has removed it as too old
            except Exception as error:
                warnings.warn(f"{self.path(candidate)} cannot be read: {error}",
                              stacklevel=2)
                continue
            return self._put_back(content)
        return None

    def _read(self, step: int) -> dict[str, Any]:
        content = load(self.path(step), map_location="cpu", weights_only=True)
        missing = set(self.parts) - set(content["parts"])
        if missing:
            raise KeyError(f"the checkpoint of step {step} has no {sorted(missing)}")
        return content  # type: ignore[no-any-return]

    def _put_back(self, content: dict[str, Any]) -> dict[str, Any]:
        for name, part in self.parts.items():
            part.load_state_dict(content["parts"][name])
        set_random_state(content["random"])
        return content["values"]  # type: ignore[no-any-return]

    def _clean(self) -> None:
        for old in self.steps()[:-self.keep]:
            with suppress(FileNotFoundError):
                os.unlink(self.path(old))
        for name in filter(_LEFT_OVER.fullmatch, os.listdir(self.folder)):
            left_over = os.path.join(self.folder, name)
            with suppress(FileNotFoundError):
                if time.time() - os.stat(left_over).st_mtime > _STALE:
                    os.unlink(left_over)
