"""Products and decompositions under the names that PyTorch has outside of linalg."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from tinytorch._core.ops.cholesky import cholesky as cholesky_of
from tinytorch._core.ops.least_squares import pinv
from tinytorch._core.ops.linalg import slogdet as sign_and_log
from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.lu import lu_factor_ex
from tinytorch._core.ops.lu import lu_solve as solve_with_lu
from tinytorch._core.ops.matmul import mm
from tinytorch._core.ops.matrices import LinAlgError
from tinytorch._core.ops.qr import qr as qr_of
from tinytorch._core.ops.select import where
from tinytorch._core.ops.spectral import svd as svd_of
from tinytorch._core.ops.spectral import svdvals
from tinytorch._core.return_types import named_result
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any
from tinytorch.functional import linear_algebra as linalg
from tinytorch.functional.dtype_words import type_word
from tinytorch.functional.matrix_checks import wrapped

__all__ = [
    "chain_matmul",
    "cholesky",
    "cross",
    "kron",
    "logdet",
    "lu",
    "lu_solve",
    "pinverse",
    "qr",
    "slogdet",
    "svd",
    "tensordot",
    "trace",
]
METHODS = [name for name in __all__ if name not in ("chain_matmul", "tensordot")]


# ---- products ----


def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return a block for each element of the first: the element times the second."""
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    left = input.reshape([n for pair in zip(a, (1,) * rank, strict=True) for n in pair])
    right = other.reshape(
        [n for pair in zip((1,) * rank, b, strict=True) for n in pair]
    )
    y = (left * right).reshape([n * m for n, m in zip(a, b, strict=True)])
    return delivered(y, out)


def cross(
    input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return `linalg.cross` along `dim`, or along the first dimension of size 3."""
    if dim is None:
        warnings.warn(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease "
            "either pass the dim explicitly or simply use torch.linalg.cross.\nThe "
            "default value of dim will change to agree with that of linalg.cross in a "
            "future release.",
            UserWarning,
            stacklevel=2,
        )
        threes = [d for d, n in enumerate(input.shape) if n == 3]
        if not threes:
            raise RuntimeError("no dimension of size 3 in input")
        dim = threes[0]
    return linalg.cross(input, other, dim=dim, out=out)


def trace(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(
            f"trace: expected a matrix, but got tensor with dim {input.ndim}"
        )
    if type_word(input.dtype) == "Bool":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    return delivered(input.diagonal().sum(), out)


def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the product of a chain of matrices; `linalg.multi_dot` is newer."""
    warnings.warn(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch "
        "release. Use torch.linalg.multi_dot instead, which accepts a list of two or "
        "more tensors rather than multiple parameters.",
        UserWarning,
        stacklevel=2,
    )
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    for x in matrices:
        if x.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {x.ndim}, expected 2 instead.")
    if len(matrices) == 1:
        return delivered(matrices[0], out)
    return linalg.multi_dot(matrices, out=out)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Return the products summed over pairs of dimensions.

    Args:
        dims: how many of a's last and b's first dimensions, or two lists of them.
    """
    left, right = _paired(a, b, dims)
    if len(left) != len(right):
        raise RuntimeError("both dimension lists should have same length")
    if a.dtype != b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    for i, k in zip(left, right, strict=True):
        n, m = a.shape[wrapped(i, a.ndim)], b.shape[wrapped(k, b.ndim)]
        if n == 1:
            b = b.sum(k, keepdim=True, dtype=b.dtype)
        elif m == 1:
            a = a.sum(i, keepdim=True, dtype=a.dtype)
        elif n != m:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim "
                f"{i} and second has size {m} in dim {k}"
            )
    inner = [i % a.ndim for i in left], [k % b.ndim for k in right]
    for found in inner:
        if len(set(found)) < len(found):
            twice = next(d for d in found if found.count(d) > 1)
            raise RuntimeError(
                f"dim {twice} appears multiple times in the list of dims"
            )
    rows = [d for d in range(a.ndim) if d not in inner[0]]
    columns = [d for d in range(b.ndim) if d not in inner[1]]
    shape = [a.shape[d] for d in rows] + [b.shape[d] for d in columns]
    size = math.prod(a.shape[d] for d in inner[0])
    x = a.permute(rows + inner[0]).reshape(math.prod(a.shape[d] for d in rows), size)
    y = b.permute(inner[1] + columns).reshape(
        size, math.prod(b.shape[d] for d in columns)
    )
    return delivered(mm(x, y).reshape(shape), out)


def _paired(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    """Return the dimensions of a and of b that `dims` pairs."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (tuple, list)):
        left, right = (
            [d] if isinstance(d, int) else list(d)
            for d in (dims if len(dims) == 2 else (dims[0], dims[1]))
        )
        return left, right
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(a.ndim, b.ndim):
        raise RuntimeError(
            f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}"
        )
    return list(range(-dims, 0)), list(range(dims))


# ---- determinants and inverses ----

_Slogdet = named_result("slogdet", "sign logabsdet")


def slogdet(input: Tensor) -> Any:
    """Return (sign, logarithm of the magnitude) of the determinant."""
    return _Slogdet(*sign_and_log(input))


def logdet(input: Tensor) -> Tensor:
    """Return the logarithm of the determinant: NaN if that is negative."""
    sign, logarithm = sign_and_log(input)
    return where(sign == -1, math.nan, logarithm)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return the pseudo-inverse: `linalg.pinv` with a relative tolerance."""
    return pinv(input, rtol=rcond)


# ---- decompositions that linalg has renewed ----


def _warn(old: str, new: str, example: str) -> None:
    warnings.warn(
        f"torch.{old} is deprecated in favor of torch.linalg.{new} and will be removed "
        f"in a future PyTorch release.\n{example}",
        UserWarning,
        stacklevel=3,
    )


def cholesky(
    input: Tensor, upper: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return `linalg.cholesky`."""
    _warn(
        "cholesky", "cholesky",
        "L = torch.cholesky(A)\nshould be replaced with\nL = torch.linalg.cholesky(A)\n"
        "and\nU = torch.cholesky(A, upper=True)\nshould be replaced with\n"
        "U = torch.linalg.cholesky(A).mH\nThis transform will produce equivalent "
        "results for all valid (symmetric positive definite) inputs.",
    )  # fmt: skip
    try:
        return cholesky_of(input, upper=upper, out=out)
    except LinAlgError as error:
        raise LinAlgError(str(error).removeprefix("linalg.")) from None


_Qr = named_result("qr", "Q R")
_Svd = named_result("svd", "U S V")


def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """Return `linalg.qr`, reduced if some, otherwise complete."""
    _warn(
        "qr", "qr",
        "The boolean parameter 'some' has been replaced with a string parameter 'mode'."
        "\nQ, R = torch.qr(A, some)\nshould be replaced with\n"
        "Q, R = torch.linalg.qr(A, 'reduced' if some else 'complete')",
    )  # fmt: skip
    return _Qr(*qr_of(input, "reduced" if some else "complete", out=out))


def svd(
    input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None
) -> Any:
    """Return (U, S, V) with input = U diag(S) V'; U = V = 0 unless compute_uv."""
    if input.ndim < 2:
        raise RuntimeError(
            "linalg.svd: input should have at least 2 dimensions, but "
            f"has {input.ndim} dimensions instead"
        )
    if compute_uv:
        u, s, vh = svd_of(input, not some)
        results: Sequence[Tensor] = (u, s, vh.mT)
    else:
        *batch, m, n = input.shape
        results = (
            input.new_zeros((*batch, m, m)), svdvals(input),
            input.new_zeros((*batch, n, n)),
        )  # fmt: skip
    if out is not None:
        results = [delivered(y, o) for y, o in zip(results, out, strict=True)]
    return _Svd(*results)


def lu(
    input: Tensor, pivot: bool = True, get_infos: bool = False, *, out: Any = None
) -> Any:
    """Return `linalg.lu_factor_ex`: (LU, pivots), and info if get_infos."""
    _warn(
        "lu", "lu_factor / torch.linalg.lu_factor_ex",
        "LU, pivots = torch.lu(A, compute_pivots)\nshould be replaced with\n"
        "LU, pivots = torch.linalg.lu_factor(A, compute_pivots)\nand\n"
        "LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)\nshould be "
        "replaced with\nLU, pivots, info = torch.linalg.lu_factor_ex(A, "
        "compute_pivots)",
    )  # fmt: skip
    found = tuple(lu_factor_ex(input, pivot=pivot))
    if out is not None:
        found = tuple(delivered(y, o) for y, o in zip(found, out, strict=False))
    return found if get_infos else found[:2]


def lu_solve(
    b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """Return the X of A X = b; `linalg.lu_solve` is newer."""
    warnings.warn(
        "torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be "
        "removed in a future PyTorch release.\nNote that torch.linalg.lu_solve has its "
        "arguments reversed.\nX = torch.lu_solve(B, LU, pivots)\nshould be replaced "
        "with\nX = torch.linalg.lu_solve(LU, pivots, B)",
        UserWarning,
        stacklevel=2,
    )
    return solve_with_lu(LU_data, LU_pivots, b, out=out)
