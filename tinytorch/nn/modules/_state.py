"""State dicts of modules: writing them, reading them, and what may hook in between."""

from __future__ import annotations

import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.nn.modules._hooks import HookTable
from tinytorch.nn.modules._registry import Registry
from tinytorch.nn.parameter import Parameter, is_lazy
from tinytorch.utils.hooks import RemovableHandle

__all__ = ["StateDict"]

EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class _IncompatibleKeys(_Keys):
    """The names that a state dict lacked, and those that it had in excess."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


class StateDict:
    """The part of a module that turns into a table of tensors and back."""

    _version: int = 1
    _parameters: Registry
    _buffers: Registry
    _modules: Registry
    _non_persistent_buffers_set: set[str]

    _state_dict_hooks = HookTable()
    _state_dict_pre_hooks = HookTable()
    _load_state_dict_pre_hooks = HookTable()
    _load_state_dict_post_hooks = HookTable()

    def get_extra_state(self) -> Any:
        """Return what a state dict shall hold beside tensors; override to use it."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be "
            "called."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned; override to use it."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be "
            "called."
        )

    def _overrides(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(StateDict, name)

    def _hooks_in(self, table: str) -> list[Any]:
        return list((self.__dict__.get(table) or {}).values())

    # ---- writing ----

    def state_dict(
        self,
        *args: Any,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> Any:
        """Return the parameters and persistent buffers by their full names.

        Args:
            destination: a dict to write into; a new one by default.
            prefix: put before each name.
            keep_vars: give the parameters themselves instead of detached tensors that
                share their memory.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            destination = args[0] if destination is None else destination
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and not keep_vars else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._hooks_in("_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination,
                    prefix=f"{prefix}{name}.",
                    keep_vars=keep_vars,
                )
        for hook in self._hooks_in("_state_dict_hooks"):
            answer = hook(self, destination, prefix, local_metadata)
            if getattr(hook, "_from_public_api", False):
                if answer is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif answer is not None:
                destination = answer
        return destination

    def _save_to_state_dict(
        self, destination: Any, prefix: str, keep_vars: bool
    ) -> None:
        """Write what this module itself holds, without its children."""
        for name, x in self._own_state():
            destination[prefix + name] = x if keep_vars else x.detach()
        if self._overrides("get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> list[tuple[str, Any]]:
        """Return the module's own parameters and persistent buffers."""
        transient = self._non_persistent_buffers_set
        kept = ((k, x) for k, x in self._buffers.items() if k not in transient)
        both = itertools.chain(self._parameters.items(), kept)
        return [(name, x) for name, x in both if x is not None]

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before a state dict is written."""
        return self._register("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any]
    ) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after writing it.

        The hook changes the dict in place and returns nothing.
        """
        hook._from_public_api = True  # type: ignore[attr-defined]
        return self._register("_state_dict_hooks", hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`, but the hook may return another dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that "
                "was previously registered via register_state_dict_post_hook"
            )
        return self._register("_state_dict_hooks", hook)

    def _register(self, table: str, hook: Callable[..., Any]) -> RemovableHandle:
        hooks = getattr(self, table)
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    # ---- reading ----

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any]
    ) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, ...)`` before the module reads it."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """As the public method; without `with_module` the hook does not see the module.

        The arguments are those of `_load_from_state_dict`.
        """
        return self._register(
            "_load_state_dict_pre_hooks", _LoadPreHook(hook, with_module)
        )

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any]
    ) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after the module was read."""
        return self._register("_load_state_dict_post_hooks", hook)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Copy values from a state dict; return the missing and the unexpected keys.

        Args:
            state_dict: tensors by name, as `state_dict` returns them.
            strict: raise if its names are not exactly those of this module.
            assign: put the tensors themselves in the places of parameters and buffers.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict)}."
            )
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []

        def load(module: Any, entries: Any, prefix: str = "") -> None:
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(
                entries, prefix, local, True, missing, unexpected, errors
            )
            for name, child in module._modules.items():
                if child is not None:
                    start = f"{prefix}{name}."
                    own = {k: v for k, v in entries.items() if k.startswith(start)}
                    load(child, own, start)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in module._hooks_in("_load_state_dict_post_hooks"):
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` "
                        "are not expected to return new values, if incompatible_keys "
                        "need to be modified, it should be done inplace."
                    )

        load(self, state)
        if strict:
            if unexpected:
                names = _quoted(unexpected)
                errors.insert(0, f"Unexpected key(s) in state_dict: {names}. ")
            if missing:
                names = _quoted(missing)
                errors.insert(0, f"Missing key(s) in state_dict: {names}. ")
        if errors:
            text = "\n\t".join(errors)
            name = type(self).__name__
            raise RuntimeError(f"Error(s) in loading state_dict for {name}:\n\t{text}")
        return _IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Read what this module itself holds, without its children.

        Problems are appended to the three lists.
        """
        for hook in self._hooks_in("_load_state_dict_pre_hooks"):
            hook(
                self,
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        own = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, current in own:
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            problem = _load_one(self, name, current, key, state_dict[key], assign)
            if problem is not None:
                error_msgs.append(problem)
        extra = prefix + EXTRA_STATE
        if self._overrides("set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            names = {name for name, _ in own}
            for key in state_dict:
                if not key.startswith(prefix) or key == extra:
                    continue
                first, _, rest = key[len(prefix) :].partition(".")
                known = first in self._modules if rest else first in names
                if not known:
                    unexpected_keys.append(key)


class _LoadPreHook:
    """A hook with or without the module as first argument."""

    def __init__(self, hook: Callable[..., Any], with_module: bool) -> None:
        self.hook = hook
        self.with_module = with_module

    def __call__(self, module: Any, *args: Any) -> Any:
        if self.with_module:
            return self.hook(module, *args)
        return self.hook(*args)


def _load_one(
    module: Any, name: str, current: Any, key: str, value: Any, assign: bool
) -> str | None:
    """Put `value` where `current` stands in `module`; return what stood against it."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or '
            f"Tensor-like object from checkpoint but received {type(value)}"
        )
    lazy = is_lazy(current)
    if not lazy and current.dim() == 0 and value.dim() == 1:
        value = value[0]  # scalars were once saved as vectors of one element
    if not lazy and not is_lazy(value) and value.shape != current.shape:
        return (
            f"size mismatch for {key}: copying a param with shape {value.shape} from "
            f"checkpoint, the shape in current model is {current.shape}."
        )
    if current.is_meta and not value.is_meta and not assign:
        warnings.warn(
            f"for {key}: copying from a non-meta parameter in the checkpoint to a meta "
            "parameter in the current model, which is a no-op. (Did you mean to pass "
            "`assign=True` to assign items in the state dictionary to their "
            "corresponding key in the module instead of copying them in place?)",
            stacklevel=6,
        )
    try:
        with no_grad():
            if not assign:
                current.copy_(value)
                return None
            if isinstance(current, Parameter):
                if not isinstance(value, Parameter):
                    value = Parameter(value, requires_grad=current.requires_grad)
                else:
                    value.requires_grad_(current.requires_grad)
            setattr(module, name, value)
    except Exception as error:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model '
            f"are {current.size()} and whose dimensions in the checkpoint are "
            f"{value.size()}, an exception occurred : {error.args}."
        )
    return None
