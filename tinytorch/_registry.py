"""Which module supplies which names: the one list that everything public follows.

An op module declares where its functions appear:
`__all__` tinytorch.x, `METHODS` Tensor.x, `FUNCTIONAL` tinytorch.nn.functional.x,
`LINALG` tinytorch.linalg.x, `SPECIAL` tinytorch.special.x.
"""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType

from tinytorch._core.binding import bind
from tinytorch._typing import Any
from tinytorch.subclass import install

# In order of import: compiled families, then compositions of their ops.
FAMILIES = (
    "tinytorch._core.ops.addition",
    "tinytorch._core.ops.multiplication",
    "tinytorch._core.ops.division",
    "tinytorch._core.ops.pointwise",
    "tinytorch._core.ops.compare",
    "tinytorch._core.ops.bits",
    "tinytorch._core.ops.select",
    "tinytorch._core.ops.combine",
    "tinytorch._core.ops.circular",
    "tinytorch._core.ops.rounding",
    "tinytorch._core.ops.special",
    "tinytorch._core.ops.bessel",
    "tinytorch._core.ops.polynomials",
    "tinytorch._core.ops.incomplete_gamma",
    "tinytorch._core.ops.power",
    "tinytorch._core.ops.binary",
    "tinytorch._core.ops.activation",
    "tinytorch._core.ops.reduce",
    "tinytorch._core.ops.linear",
    "tinytorch._core.ops.softmax",
    "tinytorch._core.ops.views",
    "tinytorch._core.ops.strided",
    "tinytorch._core.ops.history",
    "tinytorch._core.ops.creation",
    "tinytorch._core.ops.ranges",
    "tinytorch._core.ops.convert",
    "tinytorch._core.ops.data",
    "tinytorch._core.ops.dlpack",
    "tinytorch._core.ops.join",
    "tinytorch._core.ops.split",
    "tinytorch._core.ops.gated",
    "tinytorch._core.ops.rearrange",
    "tinytorch._core.ops.triangle",
    "tinytorch._core.ops.memory",
    "tinytorch._core.ops.queries",
    "tinytorch._core.ops.assign",
    "tinytorch._core.ops.index",
    "tinytorch._core.ops.mask",
    "tinytorch._core.ops.advanced",
    "tinytorch._core.ops.flat",
    "tinytorch._core.ops.along",
    "tinytorch._core.ops.gather",
    "tinytorch._core.ops.scatter",
    "tinytorch._core.ops.random",
    "tinytorch._core.ops.draws",
    "tinytorch._core.ops.sampling",
    "tinytorch._core.ops.dropout",
    "tinytorch._core.ops.pad",
    "tinytorch._core.ops.convolve",
    "tinytorch._core.ops.scan",
    "tinytorch._core.ops.fold",
    "tinytorch._core.ops.moments",
    "tinytorch._core.ops.loss",
    "tinytorch._core.ops.cross_entropy",
    "tinytorch._core.ops.extremum",
    "tinytorch._core.ops.norms",
    "tinytorch._core.ops.matmul",
    "tinytorch.functional.arrange",
    "tinytorch.functional.copies",
    "tinytorch.functional.parts",
    "tinytorch.functional.activation",
    "tinytorch.functional.indexing",
    "tinytorch.functional.dropout",
    "tinytorch.storage",
    "tinytorch.legacy_types",
    "tinytorch._core.ops.pool",
    "tinytorch._core.ops.adaptive",
    "tinytorch._core.ops.unpool",
    "tinytorch._core.ops.sort",
    "tinytorch._core.ops.addmm",
    "tinytorch._core.ops.search",
    "tinytorch._core.ops.patches",
    "tinytorch.functional.statistics",
    "tinytorch.functional.calculus",
    "tinytorch._core.ops.resample",
    "tinytorch._core.ops.grid",
    "tinytorch.functional.images",
    "tinytorch._core.ops.norm",
    "tinytorch._core.ops.batch_norm",
    "tinytorch.functional.normalization",
    "tinytorch._core.ops.matrices",
    "tinytorch._core.ops.triangular",
    "tinytorch._core.ops.lu",
    "tinytorch._core.ops.spectral",
    "tinytorch._core.ops.linalg",
    "tinytorch.functional.distance",
    "tinytorch.functional.losses",
    "tinytorch.functional.linear_cross_entropy",
    "tinytorch.functional.fractional",
    "tinytorch._core.ops.cholesky",
    "tinytorch._core.ops.qr",
    "tinytorch.functional.attention",
    "tinytorch.functional.multi_head_attention",
    "tinytorch._core.ops.least_squares",
    "tinytorch.functional.histograms",
    "tinytorch._core.ops.einsum",
    "tinytorch._core.ops.embedding",
    "tinytorch.functional.embedding",
    "tinytorch.functional.ctc",
    "tinytorch.functional.matrix_norms",
    "tinytorch.functional.linear_algebra",
    "tinytorch.functional.low_rank",
    "tinytorch.functional.products",
    "tinytorch.functional.norms",
    "tinytorch.functional.numbered",
    "tinytorch.functional.windows",
)


_loaded: list[ModuleType] = []


def families() -> list[ModuleType]:
    """Import the families, the first time; none of it is garbage to be found."""
    if not _loaded:
        collects = gc.isenabled()
        gc.disable()
        try:
            _loaded.extend([import_module(name) for name in FAMILIES])
        finally:
            if collects:
                gc.enable()
    return _loaded


def collect(kind: str) -> dict[str, Any]:
    """Return {name: function} of everything declared under `kind`."""
    found: dict[str, Any] = {}
    for module in families():
        for name in getattr(module, kind, ()):
            found[name] = getattr(module, name)
    return found


def bind_methods() -> None:
    """Make methods of all functions that are declared as such."""
    methods = collect("METHODS")
    for name, function in methods.items():
        bind(name, function)
    install(tuple(name for name, member in methods.items() if callable(member)))
