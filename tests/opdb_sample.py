"""The checks on one sample of PyTorch's op database, run in both libraries.

Value, shape, dtype, written arguments, first and second derivatives, then the method,
the operator, the in-place form and ``out=``; the first difference ends the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import torch

import tinytorch as tt
from opdb_compare import (
    compare_gradients,
    is_nearer,
    line,
    seeds_for,
    widened,
    widened_leaf,
)
from opdb_table import LOOSER, NO_VALUES, TIES
from oracle import (
    Missing,
    difference,
    leaves,
    resolve,
    seed,
    tensors,
    to_tiny,
    to_torch,
    translate,
)
from tolerances import GRADIENT_FACTOR

__all__ = ["AGREE", "SKIP", "Case", "arguments", "attempt", "fresh"]

AGREE, SKIP = "agree", "skip"


def arguments(sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return (args, kwargs) of the call that a sample stands for."""
    return (sample.input, *sample.args), sample.kwargs


class Case:
    """One sample and the checks on it, in the order in which they run."""

    def __init__(self, info: Any, sample: Any, dtype: torch.dtype, layout: str) -> None:
        self.info, self.sample, self.dtype = info, sample, dtype
        self.factor = next(
            (f for op, (f, _) in LOOSER.items() if fnmatchcase(info.name, op)), 1.0
        )
        self.values = info.name not in NO_VALUES
        self.contiguous = layout == "contiguous"
        self.floating = dtype.is_floating_point

    def run(self) -> tuple[str, str]:
        """Return (kind, text) of the first difference, or of agreement."""
        args, kwargs = fresh(arguments(self.sample))
        tiny_args, tiny_kwargs = to_tiny((args, kwargs))
        versions = [x._version for x in tensors((args, kwargs))]
        seed(7)
        try:
            expected = self.info.op(*args, **kwargs)
        except Exception as error:
            return SKIP, f"PyTorch raises {type(error).__name__}"
        try:
            function = translate(self.info.op)
            seed(7)
            actual = function(*tiny_args, **tiny_kwargs)
        except Missing as missing:
            return "missing", str(missing)
        except AttributeError as error:  # from a lambda of the database
            known = "tinytorch" in str(error) or "'Tensor' object" in str(error)
            return "missing" if known else "raises", line(error)
        except NotImplementedError as error:
            if any(x.is_complex() for x in tensors(expected)):
                return SKIP, "complex result"
            return "refused", line(error)
        except Exception as error:
            return "raises", line(error)
        found = self._compare(actual, expected)
        if not found:
            pairs = zip(tensors((args, kwargs)), versions, strict=True)
            if any(x._version != version for x, version in pairs):
                found = self._written((tiny_args, tiny_kwargs), (args, kwargs))
        if not found and self.info.supports_autograd and self.floating:
            found = self._gradients(
                (tiny_args, tiny_kwargs), actual, (args, kwargs), expected
            )
        if not found and self.contiguous:
            found = self._variants(expected)
        return found or (AGREE, "")

    # ---- the checks ----

    def _compare(self, actual: Any, expected: Any) -> tuple[str, str] | None:
        process = self.sample.output_process_fn_grad
        with torch.no_grad(), tt.no_grad():
            if process is not None and self.values:
                expected = process(expected)
                actual = translate(process)(actual)
            actual = to_torch(actual)
            if self.info.name in TIES:
                expected, actual = map(self._untied, (expected, actual))
            found = difference(actual, expected, self.factor, self.values)
        if found and found[0] == "value" and self._nearer(actual, expected):
            return None
        return found

    def _untied(self, result: Any) -> Any:
        """Replace the indices, among equals free, by the elements they point at."""
        x, args, kwargs = self.sample.input, self.sample.args, self.sample.kwargs
        if x.dim() == 0 or kwargs.get("stable"):
            return result
        *rest, places = [result] if isinstance(result, torch.Tensor) else result
        dim = args[TIES[self.info.name] :][:1] or (kwargs.get("dim", -1),)
        kept = places if places.dim() == x.dim() else places.unsqueeze(dim[0])
        return [*rest, x.detach().gather(dim[0], kept)]

    def _nearer(self, actual: Any, expected: Any) -> bool:
        """Return whether ``actual`` is no further from the exact result in float64.

        PyTorch rounds to half between the steps of a composite op; whoever computes
        the same in float32 differs from it, and is better.
        """
        if self.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            return False
        wide = self.sample.transform(widened)
        args, kwargs = arguments(wide)
        try:
            with torch.no_grad():
                exact = wide.output_process_fn_grad(self.info.op(*args, **kwargs))
        except Exception:
            return False
        triples = zip(tensors(actual), tensors(expected), tensors(exact), strict=True)
        return all(is_nearer(*triple) for triple in triples)

    def _written(self, actual: Any, expected: Any) -> tuple[str, str] | None:
        pairs = zip(tensors(actual), tensors(expected), strict=True)
        for one, other in pairs:
            found = difference(to_torch(one), other, self.factor)
            if found:
                return "argument", f"{found[0]} of a written argument: {found[1]}"
        return None

    def _gradients(
        self, tiny_inputs: Any, actual: Any, inputs: Any, expected: Any
    ) -> tuple[str, str] | None:
        process = self.sample.output_process_fn_grad
        if process is not None:
            expected, actual = process(expected), translate(process)(actual)
        outs, tiny_outs = list(tensors(expected)), list(tensors(actual))
        for one, other in zip(tiny_outs, outs, strict=True):
            if one.requires_grad != other.requires_grad:
                flags = other.requires_grad, one.requires_grad
                return "requires_grad", "expected {}, got {}".format(*flags)
        second = self.dtype is torch.float64 and self.info.supports_gradgrad
        found = compare_gradients(
            (tiny_outs, leaves(tiny_inputs)),
            (outs, leaves(inputs)),
            self.factor * GRADIENT_FACTOR,
            second and self.contiguous,
        )
        if found and self.dtype is torch.float32 and self._nearer_gradients():
            return None
        return found

    def _nearer_gradients(self) -> bool:
        """Return whether the gradients are no further from those in float64."""

        def gradients(sample: Any) -> list[torch.Tensor]:
            args, kwargs = fresh(arguments(sample))
            inputs = leaves((args, kwargs))
            for x in inputs:
                x.requires_grad_()
            outs = self.sample.output_process_fn_grad(self.info.op(*args, **kwargs))
            outs = [y for y in tensors(outs) if y.requires_grad]
            weights = [w.to(y.dtype) for w, y in zip(seeds, outs, strict=True)]
            return list(torch.autograd.grad(outs, inputs, weights))

        try:
            args, kwargs = to_tiny(fresh(arguments(self.sample)))
            seed(7)
            outs = translate(self.info.op)(*args, **kwargs)
            outs = translate(self.sample.output_process_fn_grad)(outs)
            outs = [y for y in tensors(outs) if y.requires_grad]
            seeds = seeds_for(outs)
            found = tt.autograd.grad(outs, leaves((args, kwargs)), to_tiny(seeds))
            ours = to_torch(found)
            theirs = gradients(self.sample)
            exact = gradients(self.sample.transform(widened_leaf))
        except Exception:
            return False
        return all(map(is_nearer, ours, theirs, exact))

    def _variants(self, expected: Any) -> tuple[str, str] | None:
        """Check the method, the in-place form, the operator and ``out=``."""
        info = self.info
        method = info.method_variant
        if method is not None and method is not info.op:
            found = self._variant("method", method, keep=True)
            if found:
                return found
        for label, function in (
            ("inplace", info.inplace_variant),
            ("operator", info.operator_variant),
            ("inplace operator", info.inplace_operator_variant),
        ):
            if function is not None:
                found = self._variant(label, function, keep=label == "operator")
                if found:
                    return found
        if info.supports_out and "out" not in self.sample.kwargs:
            outs = tuple(tensors(expected))
            single = isinstance(expected, torch.Tensor)
            if single or (isinstance(expected, tuple) and len(outs) == len(expected)):
                return self._out(outs[0] if single else outs)
        return None

    def _variant(
        self, label: str, function: Callable[..., Any], keep: bool
    ) -> tuple[str, str] | None:
        (first, *rest), kwargs = fresh(arguments(self.sample))
        if not isinstance(first, torch.Tensor):
            return None
        tiny_first, tiny_rest, tiny_kwargs = to_tiny((first, rest, kwargs))
        if not keep:  # written in place: must not be a leaf
            first, tiny_first = first.clone(), tiny_first.clone()
        expected = attempt(lambda: function(first, *rest, **kwargs))
        if label == "operator" and isinstance(expected, Exception):
            return None
        try:
            tiny_function = _variant_of(label, function, self.info)
        except Missing as missing:
            return label, f"missing: {missing}"
        actual = attempt(lambda: tiny_function(tiny_first, *tiny_rest, **tiny_kwargs))
        if isinstance(expected, Exception):
            if isinstance(actual, Exception):
                return None
            return label, f"no exception; PyTorch raises {line(expected)}"
        if isinstance(actual, Exception):
            return label, line(actual)
        found = self._compare(actual, expected)
        return (label, ": ".join(found)) if found else None

    def _out(self, outs: Any) -> tuple[str, str] | None:
        args, kwargs = fresh(arguments(self.sample))
        single = isinstance(outs, torch.Tensor)
        makers = [torch.empty_like(x.detach()).zero_() for x in tensors(outs)]
        out = makers[0] if single else tuple(makers)
        tiny_args, tiny_kwargs, tiny_out = to_tiny((args, kwargs, out))
        with torch.no_grad(), tt.no_grad():
            expected = attempt(lambda: self.info.op(*args, **kwargs, out=out))
            function = translate(self.info.op)
            actual = attempt(lambda: function(*tiny_args, **tiny_kwargs, out=tiny_out))
        if isinstance(expected, Exception):
            return None
        if isinstance(actual, Exception):
            return "out", line(actual)
        found = self._compare(tiny_out, out)
        return ("out", ": ".join(found)) if found else None


def _variant_of(label: str, function: Callable[..., Any], info: Any) -> Any:
    """Return tinytorch's variant: by the method's name where PyTorch's is one."""
    name = getattr(function, "__name__", "")
    if label in ("method", "inplace") and getattr(torch.Tensor, name, None) is not None:
        return resolve(f"Tensor.{name}")
    return translate(function)


def attempt(call: Callable[[], Any]) -> Any:
    """Return the result of a seeded call, or the exception it raised."""
    seed(7)
    try:
        return call()
    except Exception as error:
        return error


def fresh(value: Any) -> Any:
    """Copy tensors with all their memory, so that a call may write them."""
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided:
            return value
        value = value.resolve_conj().resolve_neg()
        storage = value.untyped_storage().clone()
        place = value.storage_offset(), value.shape, value.stride()
        copy = torch.empty(0, dtype=value.dtype, device=value.device)
        return copy.set_(storage, *place).requires_grad_(value.requires_grad)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(fresh, value))
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(map(fresh, value))
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    if isinstance(value, torch.Generator):
        return torch.Generator().manual_seed(value.initial_seed())
    return value
