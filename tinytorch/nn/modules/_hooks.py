"""Hooks of modules: where they are kept and how a call runs through them.

A table of hooks exists in a module from the first time somebody asks for it.  Asking
for one that a call must look at sets the module's ``_hooked``; registering one for all
modules calls ``watch``.  Without either a call goes straight to ``forward``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tinytorch._core.modules import watch
from tinytorch.nn.modules._backward_hooks import BackwardHook, hook_outputs
from tinytorch.utils.hooks import RemovableHandle

__all__ = [
    "GLOBAL",
    "HookTable",
    "Hooks",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

Table = OrderedDict[int, Any]
Hook = Callable[..., Any]


class HookTable:
    """A table that a module gets when it is first asked for."""

    def __init__(self, called: bool = False) -> None:
        self.called = called  # whether a call of the module looks at it

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        fields = module.__dict__
        if self.called:
            fields["_hooked"] = True
        table: Table = OrderedDict()
        fields[self.name] = table
        return table


class _Global:
    """The hooks of all modules."""

    def __init__(self) -> None:
        self.forward: Table = OrderedDict()
        self.forward_with_kwargs: Table = OrderedDict()
        self.forward_always_called: Table = OrderedDict()
        self.forward_pre: Table = OrderedDict()
        self.backward: Table = OrderedDict()
        self.backward_pre: Table = OrderedDict()
        self.full_backward: bool | None = None  # which kind `backward` holds
        self.parameter: Table = OrderedDict()
        self.buffer: Table = OrderedDict()
        self.module: Table = OrderedDict()

    def registered(self, kind: str, module: Any, name: str, value: Any) -> Any:
        """Show what `module` registers to this kind's hooks; they may replace it."""
        for hook in getattr(self, kind).values():
            answer = hook(module, name, value)
            if answer is not None:
                value = answer
        return value


GLOBAL = _Global()


def _add(
    table: Table, hook: Hook, *marks: Table, prepend: bool = False
) -> RemovableHandle:
    handle = RemovableHandle(table, extra_dict=list(marks))
    table[handle.id] = hook
    for mark in marks:
        mark[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


class Hooks:
    """The part of a module that registers hooks and runs calls through them."""

    forward: Callable[..., Any]
    _is_full_backward_hook: bool | None = None

    _forward_hooks = HookTable(called=True)
    _forward_hooks_with_kwargs = HookTable()
    _forward_hooks_always_called = HookTable()
    _forward_pre_hooks = HookTable(called=True)
    _forward_pre_hooks_with_kwargs = HookTable()
    _backward_hooks = HookTable(called=True)
    _backward_pre_hooks = HookTable(called=True)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before `forward`; it may return other arguments.

        Args:
            hook: with `with_kwargs` it gets ``(module, args, kwargs)`` and returns
                None or both.
            prepend: put it before those registered earlier.
            with_kwargs: whether the hook sees keyword arguments.
        """
        marks = (self._forward_pre_hooks_with_kwargs,) if with_kwargs else ()
        return _add(self._forward_pre_hooks, hook, *marks, prepend=prepend)

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after `forward`; it may return an output.

        Args:
            hook: with `with_kwargs` it gets ``(module, args, kwargs, output)``.
            prepend: put it before those registered earlier.
            with_kwargs: whether the hook sees keyword arguments.
            always_call: call it after an exception too, with None as output.
        """
        marks = (self._forward_hooks_with_kwargs,) if with_kwargs else ()
        if always_call:
            marks += (self._forward_hooks_always_called,)
        return _add(self._forward_hooks, hook, *marks, prepend=prepend)

    def register_full_backward_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the outputs' gradients are known."""
        return _add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in each backward pass.

        The hook may return other gradients of the inputs.
        """
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = True
        return _add(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Register a hook on the last node of the output only (deprecated)."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = False
        return _add(self._backward_hooks, hook)

    def _get_backward_hooks(self) -> tuple[list[Hook], list[Hook]]:
        """Return the full backward hooks that apply here, and the old ones."""
        full: list[Hook] = []
        old: list[Hook] = []
        if GLOBAL.backward:
            (full if GLOBAL.full_backward else old).extend(GLOBAL.backward.values())
        own = self.__dict__.get("_backward_hooks")
        if own:
            (full if self._is_full_backward_hook else old).extend(own.values())
        return full, old

    def _get_backward_pre_hooks(self) -> list[Hook]:
        own = self.__dict__.get("_backward_pre_hooks") or {}
        return [*GLOBAL.backward_pre.values(), *own.values()]

    def _hooked_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `forward` between all hooks that apply."""
        seen: set[int] = set()  # the forward hooks that were called
        try:
            return self._between_hooks(args, kwargs, seen)
        except Exception:
            self._call_despite_error(args, kwargs, seen)
            raise

    def _between_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], seen: set[int]
    ) -> Any:
        args, kwargs = self._run_pre_hooks(args, kwargs)
        full, old = self._get_backward_hooks()
        before = self._get_backward_pre_hooks()
        backward = BackwardHook(self, full, before) if full or before else None
        if backward is not None:
            args = backward.setup_input_hook(args)
        output = self.forward(*args, **kwargs)
        for key, hook, with_kwargs in self._forward_hooks_in_order():
            seen.add(key)
            extra = (kwargs,) if with_kwargs else ()
            answer = hook(self, args, *extra, output)
            if answer is not None:
                output = answer
        if backward is not None:
            output = backward.setup_output_hook(output)
        if old:
            hook_outputs(self, old, output)
        return output

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        fields = self.__dict__
        marks = fields.get("_forward_pre_hooks_with_kwargs") or {}
        own = fields.get("_forward_pre_hooks") or {}
        for key, hook in (*GLOBAL.forward_pre.items(), *own.items()):
            if key in marks:
                both = hook(self, args, kwargs)
                if both is None:
                    continue
                if not isinstance(both, tuple) or len(both) != 2:
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of "
                        f"(new_args, new_kwargs), but got {both}."
                    )
                args, kwargs = both
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _forward_hooks_in_order(self) -> list[tuple[int, Hook, bool]]:
        fields = self.__dict__
        own = fields.get("_forward_hooks") or {}
        marks = fields.get("_forward_hooks_with_kwargs") or {}
        everywhere = GLOBAL.forward_with_kwargs
        return [(k, h, k in everywhere) for k, h in GLOBAL.forward.items()] + [
            (k, h, k in marks) for k, h in own.items()
        ]

    def _call_despite_error(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], seen: set[int]
    ) -> None:
        """Run the hooks that were to run in any case and have not run yet."""
        always = set(GLOBAL.forward_always_called)
        always.update(self.__dict__.get("_forward_hooks_always_called") or ())
        for key, hook, with_kwargs in self._forward_hooks_in_order():
            if key not in always or key in seen:
                continue
            where = "global module" if key in GLOBAL.forward else "module"
            try:
                extra = (kwargs,) if with_kwargs else ()
                hook(self, args, *extra, None)
            except Exception as error:
                warnings.warn(
                    f"{where} forward hook with ``always_call=True`` raised an "
                    "exception that was silenced as another error was raised "
                    f"in forward: {error}",
                    stacklevel=3,
                )


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, args)`` before the `forward` of every module."""
    watch()
    return _add(GLOBAL.forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the `forward` of every module."""
    watch()
    marks = [GLOBAL.forward_with_kwargs] if with_kwargs else []
    if always_call:
        marks.append(GLOBAL.forward_always_called)
    return _add(GLOBAL.forward, hook, *marks)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` in the backward pass of every module."""
    watch()
    return _add(GLOBAL.backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in the pass of every module."""
    return _add_backward(hook, full=True)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Register a hook on the last node of every module's output (deprecated)."""
    return _add_backward(hook, full=False)


def _add_backward(hook: Hook, full: bool) -> RemovableHandle:
    if GLOBAL.full_backward is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    GLOBAL.full_backward = full
    watch()
    return _add(GLOBAL.backward, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` for each parameter that is registered."""
    return _add(GLOBAL.parameter, hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` for each buffer that is registered."""
    return _add(GLOBAL.buffer, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` for each child that is registered."""
    return _add(GLOBAL.module, hook)
