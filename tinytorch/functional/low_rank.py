"""Singular values of large matrices that are nearly of low rank, by random vectors.

The matrix is multiplied with random vectors; what they become spans, nearly, the space
of the largest singular values (Halko, Martinsson and Tropp, 2009, algorithm 5.1).
"""

from __future__ import annotations

from tinytorch._core.ops.draws import randn
from tinytorch._core.ops.qr import qr
from tinytorch._core.ops.spectral import svd
from tinytorch._core.tensor import Tensor

__all__ = ["pca_lowrank", "svd_lowrank"]


def _spanned(a: Tensor, q: int, niter: int, m: Tensor | None) -> Tensor:
    """Return an orthonormal basis, (..., rows, q), of random vectors times `a`."""

    def times(x: Tensor) -> Tensor:
        return a @ x if m is None else a @ x - m @ x

    def back(x: Tensor) -> Tensor:
        return a.mT @ x if m is None else a.mT @ x - m.mT @ x

    basis = qr(times(randn(a.shape[-1], q, dtype=a.dtype, device=a.device)))[0]
    for _ in range(niter):
        basis = qr(times(qr(back(basis))[0]))[0]
    return basis  # type: ignore[no-any-return]


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, S and V with about ``A - M = U diag(S) V^T``, q columns each.

    Args:
        A: one matrix or several.
        q: a little more than the rank.
        niter: how often the estimate is improved.
        M: what is subtracted, broadcast to the shape of `A`.
    """
    rows, columns = A.shape[-2:]
    size = 6 if q is None else q
    if M is not None:
        M = M.broadcast_to(A.shape)
    steps = 2 if niter is None else niter
    if rows < columns:
        v, s, u = _tall(A.mT, size, steps, None if M is None else M.mT)
        return u, s, v
    return _tall(A, size, steps, M)


def _tall(
    a: Tensor, q: int, niter: int, m: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    basis = _spanned(a, q, niter, m)
    small = basis.mT @ a if m is None else basis.mT @ (a - m)
    u, s, vh = svd(small, full_matrices=False)
    return basis @ u, s, vh.mT


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, S and V of a matrix whose rows are samples: V has the main axes.

    Args:
        A: one matrix or several.
        q: how many axes: 6, or fewer if the matrix is smaller.
        center: whether each column's mean is subtracted first.
        niter: how often the estimate is improved.
    """
    rows, columns = A.shape[-2:]
    most = min(rows, columns)
    if q is None:
        q = min(6, most)
    elif not 0 <= q <= most:
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than "
            f"min(m, n)={most}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean(dim=-2, keepdim=True)
    return svd_lowrank(A, q, niter=niter)
