"""Mixed precision: the scaler of gradients; autocast only as far as it changes nothing.

Most programs turn both off where there is no GPU, and so do they themselves here.
"""

from tinytorch._later import later

__all__ = [
    "GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available",
]

__getattr__, __dir__ = later(
    __name__,
    "autocast_mode", "grad_scaler",
    GradScaler="grad_scaler",
    **dict.fromkeys(__all__[1:], "autocast_mode"),
)
