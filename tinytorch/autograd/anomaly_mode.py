"""Anomaly mode: find the forward op whose backward raised or returned NaN."""

from __future__ import annotations

import warnings

from tinytorch._core.modes import (
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_flag,
)
from tinytorch._typing import Any

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Turn anomaly mode on or off: at once as a function, or for a ``with`` block.

    Args:
        mode: On or off. While on, each node keeps the traceback of its forward op.
        check_nan: Raise when a gradient has a NaN.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = is_anomaly_enabled()
        self.prev_check_nan = is_anomaly_check_nan_enabled()
        set_anomaly_flag(bool(mode), check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        set_anomaly_flag(self.prev, self.prev_check_nan)


class detect_anomaly:
    """Anomaly mode for a ``with`` block, with a warning that it is slow.

    Example:
        >>> with set_detect_anomaly(True):  # the same, without a warning
        ...     x.exp().sum().backward()
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.prev = (is_anomaly_enabled(), is_anomaly_check_nan_enabled())
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime "
            "and should only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self.prev = (is_anomaly_enabled(), is_anomaly_check_nan_enabled())
        set_anomaly_flag(True, self.check_nan)

    def __exit__(self, *exc: Any) -> None:
        set_anomaly_flag(*self.prev)
