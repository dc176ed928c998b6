"""Parameters that are functions of other tensors.

``module.weight`` becomes a property of a class made for this one module: each read
computes it from what is stored in ``module.parametrizations.weight``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.nn.modules.container import ModuleDict, ModuleList
from tinytorch.nn.parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache_users = 0
_cache: dict[tuple[int, str], Any] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor only once inside of the ``with``."""
    global _cache_users
    _cache_users += 1
    try:
        yield
    finally:
        _cache_users -= 1
        if not _cache_users:
            _cache.clear()


def _register_parameter_or_buffer(module: Any, name: str, x: Any) -> None:
    if isinstance(x, Parameter):
        module.register_parameter(name, x)
    else:
        module.register_buffer(name, x)


def _maybe_set(dest: Any, src: Any) -> None:
    """Let `dest` hold the values of `src`."""
    with no_grad():
        dest.data = src.detach().clone() if src.data_ptr() == dest.data_ptr() else src


class ParametrizationList(ModuleList):
    """The functions between what is stored and the tensor that the module shows."""

    original: Any
    unsafe: bool

    def __init__(
        self, modules: Sequence[Any], original: Any, unsafe: bool = False
    ) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        # what is stored: the tensor led back through the functions
        with no_grad():
            new = original
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, Tensor) and not isinstance(new, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                f"tuple...). Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the "
                    f"dtype.\noriginal.dtype: {original.dtype}\n"
                    f"right_inverse(original).dtype: {new.dtype}"
                )
            _maybe_set(original, new)
            _register_parameter_or_buffer(self, "original", original)
        else:
            for i, x in enumerate(new):
                if not isinstance(x, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors "
                        f"(list, tuple...). Got element {i} of the sequence with type "
                        f"{type(x).__name__}."
                    )
                if isinstance(original, Parameter):
                    x = Parameter(x, original.requires_grad)
                x.requires_grad_(original.requires_grad)
                _register_parameter_or_buffer(self, f"original{i}", x)
        if not unsafe:
            shown = self()
            if not isinstance(shown, Tensor):
                raise ValueError(
                    "A parametrization must return a tensor. "
                    f"Got {type(shown).__name__}."
                )
            if shown.dtype != dtype:
                raise ValueError(
                    "Registering a parametrization may not change the dtype of the "
                    "tensor, unless `unsafe` flag is enabled.\nunparametrized dtype: "
                    f"{dtype}\nparametrized dtype: {shown.dtype}"
                )
            if shown.shape != shape:
                raise ValueError(
                    "Registering a parametrization may not change the shape of the "
                    "tensor, unless `unsafe` flag is enabled.\nunparametrized shape: "
                    f"{shape}\nparametrized shape: {shown.shape}"
                )

    def originals(self) -> list[Any]:
        """Return the tensors that are stored."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Store what makes the functions show `value`."""
        with no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement "
                        "right_inverse."
                    )
                value = module.right_inverse(value)
            values = [value] if self.is_tensor else list(value)
            if len(values) != self.ntensors:
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors of length "
                    f"{self.ntensors}. Got a sequence of length {len(values)}."
                )
            for original, x in zip(self.originals(), values, strict=True):
                if original.dtype != x.dtype:
                    raise ValueError(
                        "The tensor returned by `right_inverse` has dtype "
                        f"{x.dtype} while `original` has dtype {original.dtype}"
                    )
                _maybe_set(original, x)

    def forward(self) -> Any:
        modules = iter(self)
        x = next(modules)(*self.originals())
        for module in modules:
            x = module(x)
        return x


def _shown(module: Any, name: str) -> Any:
    functions = module.parametrizations[name]
    if not _cache_users:
        return functions()
    key = id(module), name
    if key not in _cache:
        _cache[key] = functions()
    return _cache[key]


def _inject_new_class(module: Any) -> None:
    """Give a module a class of its own, which can have properties."""
    cls = type(module)

    def default_deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        made = memo.get(id(self))
        if made is not None:
            return made
        made = self.__new__(type(self))
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return made

    def getstate(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through "
            "state_dict(). See:\nhttps://pytorch.org/tutorials/beginner/"
            "saving_loading_models.html#saving-loading-a-general-checkpoint-for-"
            "inference-and-or-resuming-training"
        )

    def reduce(self: Any, protocol: Any) -> Any:
        return getstate(self)

    members: dict[str, Any] = {"__reduce_ex__": reduce, "__module__": __name__}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = default_deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _inject_property(module: Any, name: str) -> None:
    """Read the attribute `name` of the module's class through its functions."""

    def get(self: Any) -> Any:
        return _shown(self, name)

    def set(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, set))


def register_parametrization(
    module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False
) -> Any:
    """Let a parameter or buffer be a function of what is stored.

    Args:
        tensor_name: the parameter or buffer.
        parametrization: a module from the stored to the shown tensor, or tensors; its
            `right_inverse`, if any, says what is stored for a value.
        unsafe: do not check that shape and dtype stay.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        functions = module.parametrizations[tensor_name]
        if not unsafe:
            shown = getattr(module, tensor_name)
            new = parametrization(shown)
            _check_same(shown, new, type(parametrization).__name__)
            if hasattr(parametrization, "right_inverse"):
                _check_same(shown, parametrization.right_inverse(new), "right_inverse")
        functions.append(parametrization)
        functions.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        functions = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = functions
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized "
            f"element with name '{tensor_name}'"
        )
    return module


def _check_same(shown: Any, new: Any, name: str) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(
            f"A parametrization must return a tensor. Got {type(new).__name__}."
        )
    if new.dtype != shown.dtype:
        raise ValueError(
            "Registering a parametrization may not change the dtype of the tensor, "
            f"unless the `unsafe` flag is enabled.\nmodule.dtype: {shown.dtype}\n"
            f"parametrization(module).dtype: {new.dtype}"
        )
    if new.shape != shown.shape:
        raise ValueError(
            "Registering a parametrization may not change the shape of the tensor, "
            f"unless the `unsafe` flag is enabled.\nmodule.shape: {shown.shape}\n"
            f"parametrization(module).shape: {new.shape}"
        )


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether a module, or one tensor of it, is parametrized."""
    functions = getattr(module, "parametrizations", None)
    if not isinstance(functions, ModuleDict):
        return False
    return len(functions) > 0 if tensor_name is None else tensor_name in functions


def remove_parametrizations(
    module: Any, tensor_name: str, leave_parametrized: bool = True
) -> Any:
    """Make a tensor a plain parameter or buffer again.

    Args:
        leave_parametrized: keep the value that is shown; else the one that is stored.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"Module {module} does not have a parametrization on {tensor_name}"
        )
    functions = module.parametrizations[tensor_name]
    if not functions.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    if functions.is_tensor:
        original = functions.original
        if leave_parametrized:
            with no_grad():
                _maybe_set(original, getattr(module, tensor_name))
    else:
        with no_grad():
            shown = getattr(module, tensor_name)
        original = (
            Parameter(shown)
            if shown.requires_grad
            or any(isinstance(x, Parameter) for x in functions.originals())
            else shown
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register_parameter_or_buffer(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Any) -> type:
    """Return the class that the module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Any, to_module: Any, tensor_name: str | None = None
) -> Any:
    """Parametrize a module as another one is, and give it the same stored tensors."""
    if is_parametrized(from_module):
        names = (
            list(from_module.parametrizations) if tensor_name is None else [tensor_name]
        )
        for name in names:
            source = from_module.parametrizations[name]
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(source.originals()[0]))
            for function in source:
                register_parametrization(to_module, name, function)
            target = to_module.parametrizations[name]
            if source.is_tensor:
                target.original = source.original
            else:
                for i, x in enumerate(source.originals()):
                    setattr(target, f"original{i}", x)
    return to_module
