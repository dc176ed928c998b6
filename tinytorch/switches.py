"""Settings that programs make first: deterministic ops, precision, warnings.

They are kept and can be asked for.  Every op here is deterministic and every product of
float32 is one of float32, whatever is set.
"""

from __future__ import annotations

import warnings

from tinytorch._core.types import dtype, set_default_dtype
from tinytorch._typing import Any

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")
_set: dict[str, Any] = {
    "deterministic": False, "warn only": False, "warn always": False,
    "precision": "highest", "threads": 1,
}


# ---- deterministic ops ----


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic ops, which all ops here are.

    Args:
        mode: whether to ask.
        warn_only: warn where there is none, rather than raise.
    """
    if not isinstance(mode, bool):
        raise TypeError(
            "_set_deterministic_algorithms(): argument 'mode' (position 1) must be "
            f"bool, not {type(mode).__name__}"
        )
    _set["deterministic"], _set["warn only"] = mode, bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Return whether deterministic ops were asked for."""
    return bool(_set["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether a warning would be enough."""
    return bool(_set["warn only"])


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Ask for deterministic ops: 0 or "default", 1 or "warn", 2 or "error"."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _MODES:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, "
                f"`error`, but got {debug_mode}"
            )
        debug_mode = _MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """Return 0, 1 or 2, as for `set_deterministic_debug_mode`."""
    if not _set["deterministic"]:
        return 0
    return 1 if _set["warn only"] else 2


# ---- precision ----


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 to be less exact: "highest", "high" or "medium"."""
    if not isinstance(precision, str):
        raise RuntimeError(
            "set_float32_matmul_precision expects a str, but got "
            f"{type(precision).__name__}"
        )
    if precision in _PRECISIONS:
        _set["precision"] = precision
    else:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "setFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` has set."""
    return str(_set["precision"])


def set_flush_denormal(mode: bool) -> bool:
    """Return whether denormal numbers are treated as asked: they are always kept."""
    if not isinstance(mode, bool):
        raise RuntimeError(
            f"flush_denormal expects a bool, but got {type(mode).__name__}"
        )
    return not mode


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by the name or the class of a type of tensor."""
    import tinytorch

    warnings.warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives.",
        stacklevel=2,
    )
    if isinstance(t, str):
        place, _, name = t.rpartition(".")
        found = getattr(tinytorch, name, None) if place == "torch" else None
    else:
        found = t
    kind = getattr(found, "dtype", None)
    if not isinstance(kind, dtype) or isinstance(found, tinytorch.Tensor):
        raise TypeError(
            "invalid type object: only floating-point types are supported as the "
            "default type"
        )
    if not kind.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    set_default_dtype(kind)


# ---- warnings and threads ----


def set_warn_always(b: bool) -> None:
    """Ask for warnings each time: Python's filters decide that here."""
    if not isinstance(b, bool):
        kind = type(b).__name__
        raise RuntimeError(f"setWarnOnlyOnce expects a bool, but got {kind}")
    _set["warn always"] = b


def is_warn_always_enabled() -> bool:
    """Return what `set_warn_always` has set."""
    return bool(_set["warn always"])


def set_num_interop_threads(n: int) -> None:
    """Note how many ops may run beside each other; they run one after the other."""
    if not isinstance(n, int):
        raise RuntimeError(
            f"set_num_interop_threads expects an int, but got {type(n).__name__}"
        )
    if n <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _set["threads"] = n


def get_num_interop_threads() -> int:
    """Return what `set_num_interop_threads` has set; 1 at first."""
    return int(_set["threads"])
