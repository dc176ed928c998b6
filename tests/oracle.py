"""PyTorch as the oracle: values, dtypes and functions carried over in both directions.

A tensor crosses through NumPy with its dtype, its strides and its requires_grad; the
containers around it are rebuilt.  Everything that has no counterpart raises Refused.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import tinytorch as tt
from tolerances import tolerance

__all__ = [
    "Missing",
    "Refused",
    "difference",
    "leaves",
    "resolve",
    "seed",
    "tensors",
    "to_tiny",
    "to_torch",
    "translate",
]

# The original also formats a stack trace for each kind of absent accelerator, which
# takes most of the time of a walk through the op database.
torch.manual_seed = torch.default_generator.manual_seed

DTYPES = {
    getattr(torch, name): name
    for name in (
        [
            "float32",
            "float64",
            "float16",
            "bfloat16",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint8",
            "bool",
        ]
    )
}


class Refused(Exception):
    """The value belongs to a feature that tinytorch does not have; says which."""


class Missing(Exception):
    """tinytorch has no function of that name."""


# ---- from PyTorch to tinytorch ----


def to_tiny(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Rebuild ``value`` with tinytorch's objects; one tensor stays one tensor.

    Args:
        value: a tensor, a dtype, a function, or containers of them.
        memo: tensors already converted, by id, and the storages that they lie in.
    """
    memo = {} if memo is None else memo
    convert = functools.partial(to_tiny, memo=memo)
    if isinstance(value, torch.Tensor):
        if id(value) not in memo:
            memo[id(value)] = _tensor_to_tiny(value, memo)
        return memo[id(value)]
    if isinstance(value, torch.dtype):
        return dtype_to_tiny(value)
    if isinstance(value, torch.device):
        if value.type not in ("cpu", "meta"):
            raise Refused(f"device {value.type}")
        return tt.device(str(value))
    if isinstance(value, torch.layout):
        if value is not torch.strided:
            raise Refused(f"layout {value}")
        return tt.strided
    if isinstance(value, torch.memory_format):
        if value in (torch.contiguous_format, torch.preserve_format):
            return getattr(tt, str(value).rpartition(".")[2])
        raise Refused(f"memory format {value}")
    if isinstance(value, complex):
        raise Refused("complex number")
    if isinstance(value, torch.Size):
        return tt.Size(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(convert, value))
    if isinstance(value, (list, tuple, set)):
        return type(value)(map(convert, value))
    if isinstance(value, dict):
        return {key: convert(item) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(convert(value.start), convert(value.stop), convert(value.step))
    if isinstance(value, torch.Generator):
        return tt.Generator().manual_seed(value.initial_seed())
    if isinstance(value, torch.nn.Module):
        return module_to_tiny(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        made = resolve(f"nn.{type(value).__name__}")
        return made(**{name: convert(getattr(value, name)) for name in names})
    if callable(value) and not isinstance(value, (type, enum.Enum)):
        return translate(value)
    return value


def dtype_to_tiny(dtype: torch.dtype) -> Any:
    """Return tinytorch's dtype of the same name."""
    if dtype not in DTYPES:
        raise Refused(f"dtype {str(dtype).rpartition('.')[2]}")
    return getattr(tt, DTYPES[dtype])


def _tensor_to_tiny(x: torch.Tensor, memo: dict[Any, Any]) -> Any:
    if x.layout is not torch.strided:
        raise Refused(f"layout {x.layout}")
    if x.is_quantized:
        raise Refused("quantised tensor")
    if x.dim() > 64:
        raise Refused("more than 64 dimensions")
    dtype = dtype_to_tiny(x.dtype)
    if x.device.type == "meta":
        return tt.empty(tuple(x.shape), dtype=dtype, device="meta")
    if x.is_neg():  # the imaginary part of a conjugate
        x = x.resolve_neg()
    place = ("storage", x.untyped_storage()._cdata)
    if place not in memo:
        memo[place] = _storage_to_tiny(x)
    y = tt.empty(0, dtype=dtype)
    y.set_(memo[place], x.storage_offset(), tuple(x.shape), x.stride())
    return y.requires_grad_() if x.requires_grad else y


def _storage_to_tiny(x: torch.Tensor) -> Any:
    """Copy all the memory that a tensor lies in: others may lie there, too."""
    everything = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
    return tt.from_numpy(everything.numpy()).clone().untyped_storage()


def module_to_tiny(module: torch.nn.Module) -> Any:
    """Rebuild a module: the class of the same place and name, and all it holds."""
    cls = type(module)
    try:
        place = importlib.import_module(cls.__module__.replace("torch", "tinytorch", 1))
        made = getattr(place, cls.__name__)
    except (ImportError, AttributeError):
        raise Missing(f"nn.{cls.__name__}") from None
    twin = made.__new__(made)
    tt.nn.Module.__init__(twin)
    inner = vars(torch.nn.Module())
    for name, value in vars(module).items():
        if name not in inner:
            twin.__dict__[name] = to_tiny(value)
    for name, x in module._parameters.items():
        kept = None if x is None else tt.nn.Parameter(to_tiny(x), x.requires_grad)
        twin.register_parameter(name, kept)
    for name, x in module._buffers.items():
        twin.register_buffer(name, to_tiny(x))
    for name, child in module._modules.items():
        twin.register_module(name, None if child is None else module_to_tiny(child))
    return twin.train(module.training)


# ---- from tinytorch to PyTorch ----


def to_torch(value: Any) -> Any:
    """Rebuild ``value`` with PyTorch's tensors (fresh, contiguous) and dtypes."""
    if isinstance(value, tt.Tensor):
        return tensor_to_torch(value)
    if isinstance(value, tt.dtype):
        return getattr(torch, str(value).rpartition(".")[2])
    if isinstance(value, (tuple, list)):
        return [to_torch(item) for item in value]
    if isinstance(value, dict):
        return {key: to_torch(item) for key, item in value.items()}
    return value


def tensor_to_torch(x: Any) -> torch.Tensor:
    """Copy a tinytorch tensor into a PyTorch one."""
    x = x.detach()
    if x.device.type == "meta":
        dtype = to_torch(x.dtype)
        return torch.empty(tuple(x.shape), dtype=dtype, device="meta")
    if x.dtype == tt.bfloat16:
        bits = torch.from_numpy(np.array(x.view(tt.int16).numpy()))
        return bits.view(torch.bfloat16)
    return torch.from_numpy(np.array(x.numpy()))


# ---- functions ----


def resolve(path: str) -> Any:
    """Return the object at a dotted path below ``tinytorch``; raise Missing."""
    found: Any = tt
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Missing(path) from None
    return found


@functools.cache
def _paths() -> dict[int, str]:
    """Map the id of each function of PyTorch's public namespaces to its path."""
    found: dict[int, str] = {}
    places = {
        "": torch,
        "nn.functional.": torch.nn.functional,
        "linalg.": torch.linalg,
        "special.": torch.special,
        "Tensor.": torch.Tensor,
    }
    for prefix, place in places.items():
        for name in dir(place):
            item = getattr(place, name, None)
            if callable(item):
                found.setdefault(id(item), prefix + name)
    return found


def translate(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return tinytorch's counterpart of a function of PyTorch or of its tests.

    A lambda of PyTorch's tests runs as it is, with tinytorch under the name ``torch``.
    """
    path = _paths().get(id(function))
    if path is not None and getattr(torch, "Tensor", None) is not function:
        return resolve(path)
    if isinstance(function, functools.partial):
        inner = translate(function.func)
        return functools.partial(inner, *function.args, **function.keywords)
    if isinstance(function, types.FunctionType):
        namespace = {**function.__globals__, "torch": tt, "wrapper_set_seed": _seeded}
        copy = types.FunctionType(
            function.__code__,
            namespace,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy
    name = getattr(function, "__name__", "")
    method = getattr(torch.Tensor, name, None)
    if method is not None and method == function:
        return resolve(f"Tensor.{name}")
    if not getattr(function, "__module__", None) or "torch" not in function.__module__:
        return function  # of the operator module, the standard library or NumPy
    raise Missing(getattr(function, "__qualname__", repr(function)))


def _seeded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Stand in for PyTorch's ``wrapper_set_seed``, which seeds with 42."""
    tt.manual_seed(42)
    return function(*args, **kwargs)


def seed(number: int) -> None:
    """Seed both libraries alike."""
    torch.default_generator.manual_seed(number)
    tt.manual_seed(number)


# ---- looking through containers ----


def tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors of either library inside ``value``, in order."""
    if isinstance(value, (torch.Tensor, tt.Tensor)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, slice):
        yield from tensors((value.start, value.stop, value.step))


def leaves(value: Any) -> list[Any]:
    """Return the distinct tensors that require a gradient, in order."""
    found = {id(x): x for x in tensors(value) if x.requires_grad}
    return list(found.values())


# ---- comparison ----


def difference(
    actual: Any, expected: Any, factor: float = 1.0, values: bool = True
) -> tuple[str, str] | None:
    """Return (kind, text) of the first difference, or None.

    Args:
        actual: what tinytorch returned, already carried over to PyTorch.
        expected: what PyTorch returned.
        factor: multiplies the tolerance of the dtype.
        values: False compares shapes and dtypes only.
    """
    if isinstance(expected, torch.Tensor):
        if not isinstance(actual, torch.Tensor):
            return "type", f"expected a tensor, got {type(actual).__name__}"
        return _tensor_difference(actual, expected, factor, values)
    if isinstance(expected, (tuple, list)):
        if not isinstance(actual, (tuple, list)) or len(actual) != len(expected):
            size = len(actual) if isinstance(actual, (tuple, list)) else "no"
            return "type", f"expected {len(expected)} results, got {size}"
        for one, other in zip(actual, expected, strict=True):
            found = difference(one, other, factor, values)
            if found:
                return found
        return None
    if type(actual) is not type(expected):
        kinds = type(expected).__name__, type(actual).__name__
        return "type", "expected {}, got {}".format(*kinds)
    same = actual == expected or (actual != actual and expected != expected)
    if isinstance(expected, float) and not same:
        rtol, atol = tolerance("float32", factor)
        same = abs(actual - expected) <= atol + rtol * abs(expected)
    return None if same else ("value", f"expected {expected}, got {actual}")


def _tensor_difference(
    actual: torch.Tensor, expected: torch.Tensor, factor: float, values: bool
) -> tuple[str, str] | None:
    if actual.shape != expected.shape:
        shapes = tuple(expected.shape), tuple(actual.shape)
        return "shape", "expected {}, got {}".format(*shapes)
    if actual.dtype != expected.dtype:
        return "dtype", f"expected {expected.dtype}, got {actual.dtype}"
    expected = expected.detach()
    if not values or expected.device.type == "meta" or torch.equal(actual, expected):
        return None
    rtol, atol = tolerance(expected.dtype, factor)
    if rtol:
        wide = (actual.double(), expected.double())
        near = torch.isclose(*wide, rtol=rtol, atol=atol, equal_nan=True)
    else:
        near = actual == expected
    if near.all():
        return None
    index = tuple((~near).nonzero()[0].tolist())
    wrong = int((~near).sum())
    return "value", (
        f"{wrong} of {near.numel()} elements, first at {index}: expected"
        f" {expected[index].item():.9g}, got {actual[index].item():.9g}"
    )
