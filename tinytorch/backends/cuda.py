"""What programs set for products and attention on a GPU: kept, and without effect."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from tinytorch.switches import (
    get_float32_matmul_precision,
    set_float32_matmul_precision,
)

__all__ = [
    "cudnn_sdp_enabled", "enable_cudnn_sdp", "enable_flash_sdp", "enable_math_sdp",
    "enable_mem_efficient_sdp", "flash_sdp_enabled", "is_built",
    "is_flash_attention_available", "math_sdp_enabled", "matmul",
    "mem_efficient_sdp_enabled", "sdp_kernel",
]


class _Matmul:
    """How exact products must be; TF32 is `set_float32_matmul_precision`'s "high"."""

    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True
    allow_fp16_accumulation = False

    @property
    def allow_tf32(self) -> bool:
        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, on: bool) -> None:
        set_float32_matmul_precision("high" if on else "highest")


matmul = _Matmul()
_allowed = {"flash": True, "math": True, "mem_efficient": True, "cudnn": True}


def is_built() -> bool:
    """Return whether PyTorch's CUDA code is there: it is not."""
    return False


def is_flash_attention_available() -> bool:
    """Return whether FlashAttention is there: it is not."""
    return False


def flash_sdp_enabled() -> bool:
    """Return whether attention may use FlashAttention."""
    return _allowed["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Let attention use FlashAttention, or not."""
    _allowed["flash"] = bool(enabled)


def math_sdp_enabled() -> bool:
    """Return whether attention may be written out in products."""
    return _allowed["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Let attention be written out in products, or not."""
    _allowed["math"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """Return whether attention may use the kernel that saves memory."""
    return _allowed["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Let attention use the kernel that saves memory, or not."""
    _allowed["mem_efficient"] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    """Return whether attention may use cuDNN."""
    return _allowed["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Let attention use cuDNN, or not."""
    _allowed["cudnn"] = bool(enabled)


@contextlib.contextmanager
def _only(flash: bool, math: bool, mem_efficient: bool, cudnn: bool) -> Iterator[None]:
    """Allow ways of attention for a ``with`` block."""
    before = dict(_allowed)
    _allowed.update(flash=flash, math=math, mem_efficient=mem_efficient, cudnn=cudnn)
    try:
        yield
    finally:
        _allowed.update(before)


def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> contextlib.AbstractContextManager[None]:
    """Allow ways of attention for a ``with`` block; the older `sdpa_kernel`."""
    warnings.warn(
        "`torch.backends.cuda.sdp_kernel()` is deprecated. In the future, this context "
        "manager will be removed. Please see `torch.nn.attention.sdpa_kernel()`.",
        FutureWarning,
        stacklevel=2,
    )
    return _only(enable_flash, enable_math, enable_mem_efficient, enable_cudnn)
