"""Pruning: parameters times masks of zeros and ones, by a hook before each call.

A pruned parameter ``name`` is kept as ``name_orig`` beside the buffer ``name_mask``;
``name`` itself becomes their product.  Pruned again, it loses units of those left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import tinytorch
from tinytorch.nn.utils.convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured",
    "LnStructured", "PruningContainer", "RandomStructured", "RandomUnstructured",
    "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """The hook that masks a parameter; subclasses say which units go.

    A subclass defines `compute_mask` and sets ``PRUNING_TYPE`` to ``"unstructured"``,
    ``"structured"`` (it then has a ``dim``) or ``"global"``.
    """

    PRUNING_TYPE: str
    _tensor_name: str

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return `default_mask` with zeros where `t` is pruned."""

    def apply_mask(self, module: Any) -> Any:
        """Return the masked parameter."""
        orig = getattr(module, self._tensor_name + "_orig")
        mask = getattr(module, self._tensor_name + "_mask")
        return mask.to(dtype=orig.dtype) * orig

    @classmethod
    def apply(
        cls,
        module: Any,
        name: str,
        *args: Any,
        importance_scores: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Prune a parameter and keep it pruned; what follows `name` makes the method.

        Args:
            importance_scores: what the mask is computed from, instead of the parameter.

        Returns:
            The hook: the method, or all methods applied so far in a container.
        """
        before = _hook_of(module, name)
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        if before is not None:
            earlier = before[1]
            if not isinstance(earlier, PruningContainer):
                earlier = PruningContainer(earlier)
            method = PruningContainer(*earlier, method)
        current = getattr(module, name)
        if importance_scores is None:
            importance_scores = current
        else:
            whose = f"parameter {name} of {module}"
            _check_scores(importance_scores, current, whose)
        if before is None:
            mask = tinytorch.ones_like(current)
        else:
            mask = getattr(module, name + "_mask").detach().clone()
        # nothing of the module has changed if this raises
        mask = method.compute_mask(importance_scores, default_mask=mask)
        if before is None:
            del module._parameters[name]
            module.register_parameter(name + "_orig", current)
        else:
            del module._forward_pre_hooks[before[0]]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self, t: Any, default_mask: Any = None, importance_scores: Any = None
    ) -> Any:
        """Return a tensor pruned once, without any module.

        Args:
            t: the tensor.
            default_mask: where it is pruned already.
            importance_scores: what the mask is computed from, instead of `t`.
        """
        if importance_scores is None:
            importance_scores = t
        else:
            _check_scores(importance_scores, t, "tensor t")
        if default_mask is None:
            default_mask = tinytorch.ones_like(t)
        return t * self.compute_mask(importance_scores, default_mask=default_mask)

    def remove(self, module: Any) -> None:
        """Write the zeros into the parameter and give it its name again."""
        name = self._tensor_name
        pruned = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        orig = module._parameters.pop(name + "_orig")
        orig.data = pruned.data
        del module._buffers[name + "_mask"]
        setattr(module, name, orig)


def _hook_of(module: Any, name: str) -> tuple[int, BasePruningMethod] | None:
    """Return the key and the hook that prunes a parameter."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


def _check_scores(scores: Any, t: Any, whose: str) -> None:
    if scores.shape != t.shape:
        raise AssertionError(
            f"importance_scores should have the same shape as {whose}, got "
            f"{scores.shape} vs {t.shape}"
        )


# ---- methods after one another ----


class PruningContainer(BasePruningMethod):
    """Several methods for one parameter; each prunes what the earlier ones left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if args:
            self._tensor_name = args[0]._tensor_name
            for method in args:
                self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Append a method for the same parameter."""
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found "
                f"'{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return the mask after the last method: the others are in `default_mask`."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype).clone()
        left = self._left(method, mask)
        mask[left] = method.compute_mask(t[left], default_mask=mask[left])
        return mask

    @staticmethod
    def _left(method: Any, mask: Any) -> Any:
        """Return the index of the units that the method may choose from."""
        if method.PRUNING_TYPE == "unstructured":
            return mask == 1
        if method.PRUNING_TYPE == "structured":
            dim = method.dim % mask.dim()
            others = [d for d in range(mask.dim()) if d != dim]
            return (*[slice(None)] * dim, mask.sum(dim=others) != 0)
        if method.PRUNING_TYPE == "global":
            return (slice(None),) * mask.dim()
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")


# ---- how many ----


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, (int, float)):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a "
            "non-negative integer"
        )


def _number(amount: float, size: int) -> int:
    """Return how many of `size` units an amount is."""
    if not isinstance(amount, int):
        return round(amount * size)
    if amount > size:
        raise ValueError(
            f"amount={amount} should be smaller than the number of parameters to "
            f"prune={size}"
        )
    return amount


def _channels(t: Any, dim: int) -> int:
    """Return the size of the dimension whose slices are pruned."""
    if t.dim() <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. "
            f"Found tensor of shape {t.shape} with {t.dim()} dims"
        )
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")
    return t.shape[dim]  # type: ignore[no-any-return]


# ---- the methods ----


class Identity(BasePruningMethod):
    """Prunes nothing: gives the parameter its mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        return default_mask

    @classmethod
    def apply(cls, module: Any, name: str) -> Any:  # type: ignore[override]
        return super().apply(module, name)


class _Unstructured(BasePruningMethod):
    """Prunes an amount of single elements: those of the least score."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: Any) -> None:
        _check_amount(amount)
        self.amount = amount

    def _without(self, scores: Any, largest: bool, number: int, mask: Any) -> Any:
        mask.view(-1)[scores.view(-1).topk(number, largest=largest).indices] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes elements drawn at random."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        mask = default_mask.clone()
        if number := _number(self.amount, t.nelement()):
            return self._without(tinytorch.rand_like(t), True, number, mask)
        return mask

    @classmethod
    def apply(cls, module: Any, name: str, amount: Any) -> Any:  # type: ignore[override]
        return super().apply(module, name, amount=amount)


class L1Unstructured(_Unstructured):
    """Prunes the elements of the smallest absolute value."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        mask = default_mask.clone()
        if number := _number(self.amount, t.nelement()):
            return self._without(t.detach().abs().contiguous(), False, number, mask)
        return mask

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Any, name: str, amount: Any, importance_scores: Any = None
    ) -> Any:
        return super().apply(
            module, name, amount=amount, importance_scores=importance_scores
        )


class RandomStructured(BasePruningMethod):
    """Prunes slices along `dim` drawn at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount = amount
        self.dim = dim

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        size = _channels(t, self.dim)
        number = _number(self.amount, size)
        if number == 0:
            return default_mask
        draws = tinytorch.rand(size)
        kept = draws > draws.kthvalue(number).values
        return default_mask * _along(kept, t, self.dim)

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Any, name: str, amount: Any, dim: int = -1
    ) -> Any:
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(BasePruningMethod):
    """Prunes the slices along `dim` whose norm of order `n` is smallest."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount = amount
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        size = _channels(t, self.dim)
        number = _number(self.amount, size)
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        norms = tinytorch.norm(t.detach(), p=self.n, dim=others)
        if number == 0:
            return default_mask
        kept = tinytorch.zeros(size, dtype=tinytorch.bool, device=t.device)
        kept[norms.topk(size - number).indices] = True
        return default_mask * _along(kept, t, self.dim)

    @classmethod
    def apply(  # type: ignore[override]
        cls,
        module: Any,
        name: str,
        amount: Any,
        n: Any,
        dim: int,
        importance_scores: Any = None,
    ) -> Any:
        return super().apply(
            module, name, amount=amount, n=n, dim=dim,
            importance_scores=importance_scores,
        )


def _along(kept: Any, t: Any, dim: int) -> Any:
    """Return which slices are kept, shaped to broadcast along `dim`."""
    shape = [1] * t.dim()
    shape[dim] = -1
    return kept.to(t.device, t.dtype).view(shape)


class CustomFromMask(BasePruningMethod):
    """Prunes where a given mask is zero."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Any, name: str, mask: Any) -> Any:  # type: ignore[override]
        return super().apply(module, name, mask=mask)


# ---- the same as functions, which return the module ----


def identity(module: Any, name: str) -> Any:
    """Give a parameter a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: Any) -> Any:
    """Prune elements at random: a number of them, or a fraction."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Any, name: str, amount: Any, importance_scores: Any = None
) -> Any:
    """Prune the elements of the smallest absolute value, or of the smallest score."""
    L1Unstructured.apply(module, name, amount, importance_scores)
    return module


def random_structured(module: Any, name: str, amount: Any, dim: int) -> Any:
    """Prune slices along `dim` at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Any, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None
) -> Any:
    """Prune the slices along `dim` of the smallest norm of order `n`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores)
    return module


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Prune a parameter where `mask` is zero."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters as if they were one vector.

    Args:
        parameters: pairs of a module and the name of its parameter.
        pruning_method: an unstructured method, made of the further arguments.
        importance_scores: scores for some of the pairs, instead of the parameters.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    pairs = list(parameters)
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError(
            "global_unstructured(): importance_scores must be of type dict"
        )
    values = [getattr(module, name) for module, name in pairs]
    masks = [
        getattr(module, name + "_mask", tinytorch.ones_like(value))
        for (module, name), value in zip(pairs, values, strict=True)
    ]
    vector = parameters_to_vector(
        [scores.get(pair, value) for pair, value in zip(pairs, values, strict=True)]
    )
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. '
            f"Found method {pruning_method} of type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "temp"  # of the vector, which belongs to no module
    mask = PruningContainer(method).compute_mask(vector, parameters_to_vector(masks))
    parts = mask.split([value.numel() for value in values])
    for (module, name), value, part in zip(pairs, values, parts, strict=True):
        custom_from_mask(module, name, mask=part.view_as(value))


def remove(module: Any, name: str) -> Any:
    """Make the pruned values the parameter's own; the zeros stay, the mask goes."""
    found = _hook_of(module, name)
    if found is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning "
            "can be removed"
        )
    key, method = found
    method.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Any) -> bool:
    """Return whether a module, or one inside it, has a pruned parameter."""
    return any(
        isinstance(hook, BasePruningMethod)
        for _, part in module.named_modules()
        for hook in part._forward_pre_hooks.values()
    )
