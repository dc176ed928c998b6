"""Modules that learn the shapes of their parameters from their first input."""

from __future__ import annotations

from typing import Any

from tinytorch.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Put before a module class: its lazy parameters get a shape in the first call.

    The class defines ``initialize_parameters(*args)``, which materializes them from the
    arguments of `forward`.  When all are there, the object becomes one of
    `cls_to_become`.
    """

    cls_to_become: type[Any] | None = None
    _parameters: Any
    _buffers: Any
    _forward_pre_hooks: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        this: Any = self
        this._load_hook = this._register_load_state_dict_pre_hook(self._lazy_load_hook)
        this._initialize_hook = this.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _save_to_state_dict(
        self, destination: Any, prefix: str, keep_vars: bool
    ) -> None:
        """Write what is there; what has no shape yet is written as it is."""
        this: Any = self
        for name, x in this._own_state():
            whole = keep_vars or is_lazy(x)
            destination[prefix + name] = x if whole else x.detach()

    def _lazy_load_hook(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Take the shapes from a state dict that has them."""
        for name, x in (*self._parameters.items(), *self._buffers.items()):
            loaded = state_dict.get(prefix + name)
            if loaded is not None and is_lazy(x) and not is_lazy(loaded):
                x.materialize(loaded.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the lazy parameters their shapes; each class says how."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether some parameter or buffer still has no shape."""
        return any(
            is_lazy(x) for x in (*self._parameters.values(), *self._buffers.values())
        )

    def _infer_parameters(
        self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> None:
        """Materialize before the first `forward` and become an ordinary module."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(
                f"module {type(self).__name__} has not been fully initialized"
            )
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook
        del module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. "
            "Run a dummy forward pass to correctly initialize the modules"
        )
