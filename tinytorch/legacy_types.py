"""FloatTensor, LongTensor and their kin: constructors of old that are also types.

``isinstance(x, FloatTensor)`` asks for the dtype and the CPU; calling one makes an
ordinary tensor.
"""

from __future__ import annotations

from tinytorch._core import types
from tinytorch._core.ops.data import of_dtype
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]


class _TensorType(type):
    """Makes tensors of one dtype and recognises them."""

    dtype: types.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        return of_dtype(cls.dtype, args, device)

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            isinstance(instance, Tensor)
            and instance.dtype is cls.dtype
            and not instance.is_cuda
        )

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _made(name: str, dtype: types.dtype) -> _TensorType:
    return _TensorType(
        name,
        (),
        {"dtype": dtype, "is_cuda": False, "is_sparse": False, "__module__": "torch"},
    )


FloatTensor = _made("FloatTensor", types.float32)
DoubleTensor = _made("DoubleTensor", types.float64)
HalfTensor = _made("HalfTensor", types.float16)
BFloat16Tensor = _made("BFloat16Tensor", types.bfloat16)
LongTensor = _made("LongTensor", types.int64)
IntTensor = _made("IntTensor", types.int32)
ShortTensor = _made("ShortTensor", types.int16)
CharTensor = _made("CharTensor", types.int8)
ByteTensor = _made("ByteTensor", types.uint8)
BoolTensor = _made("BoolTensor", types.bool_)
