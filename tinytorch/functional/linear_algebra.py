"""What `tinytorch.linalg` has beyond single kernels: powers, chains, tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinytorch._core.ops.creation import eye
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.linalg import inv, solve
from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.matmul import dot, matmul
from tinytorch._core.ops.select import where
from tinytorch._core.ops.strided import diagonal as diagonal_of
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any, NoReturn
from tinytorch.functional.dtype_words import type_word
from tinytorch.functional.matrix_checks import check_floats, check_square, wrapped

__all__ = ["matrix_exp", "matrix_power"]
METHODS = __all__
LINALG = [
    "cross",
    "diagonal",
    "eig",
    "eigvals",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "matmul",
    "matrix_exp",
    "matrix_power",
    "multi_dot",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
]

# ---- powers and the exponential ----


def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return the n-th power of a matrix; n may be negative."""
    if not isinstance(n, int):
        raise TypeError(
            "linalg_matrix_power(): argument 'n' (position 2) must be int, not "
            f"{type(n).__name__}"
        )
    check_square(input, "linalg.matrix_power")
    if n == 0:
        one = eye(input.shape[-1], dtype=input.dtype, device=input.device)
        # zeros made of the input, so that it stays part of the graph
        return delivered(one + input.triu(input.shape[-1]), out)
    power, base = abs(n), inv(input) if n < 0 else input.clone()
    while not power & 1:
        power, base = power >> 1, matmul(base, base)
    result = base
    while power := power >> 1:
        base = matmul(base, base)
        if power & 1:
            result = matmul(result, base)
    return delivered(result, out)


# Degrees of Pade's approximation, each with the largest 1-norm for which it is exact to
# rounding (Higham, "The scaling and squaring method for the matrix exponential
# revisited", 2005, and its table for single precision).
_DEGREES = {
    4: ((3, 0.4258730016922831), (5, 1.880152677804762), (7, 3.925724783138660)),
    8: (
        (3, 0.01495585217958292), (5, 0.2539398330063230), (7, 0.9504178996162932),
        (9, 2.097847961257068), (13, 5.371920351148152),
    ),
}  # fmt: skip


def matrix_exp(input: Tensor) -> Tensor:
    """Return the sum of A^k / k! over all k, for each matrix.

    Large matrices are halved until the approximation is exact to rounding, each as
    often as it needs, and the result squared as often.
    """
    check_floats(input, "linalg.matrix_exp")
    check_square(input, "linalg.matrix_exp")
    if input.numel() == 0:
        return input.clone()
    if input.dtype.itemsize < 4:
        return matrix_exp(input.float()).to(input.dtype)
    size = input.detach().abs().sum(-2).amax(-1)
    largest = size.max().item()
    degrees = _DEGREES[input.dtype.itemsize]
    for degree, bound in degrees:
        if largest <= bound:
            return _pade(input, degree)
    degree, bound = degrees[-1]
    if not math.isfinite(largest):
        finite = size.isfinite()[..., None, None]
        exact = matrix_exp(where(finite, input, 0.0)) if finite.any() else input
        return where(finite, exact, math.nan)
    halvings = (size / bound).log2().ceil().clamp(0)[..., None, None]
    y = _pade(input * (-halvings).exp2(), degree)
    for k in range(int(halvings.max().item())):
        y = where(halvings > k, matmul(y, y), y)
    return y


def _pade(A: Tensor, degree: int) -> Tensor:
    """Return (V - U)^-1 (V + U): even powers of A in V, odd ones in U."""
    factors = [1.0]
    for k in range(degree):
        factors.append(factors[-1] * (degree - k) / ((2 * degree - k) * (k + 1)))
    one = eye(A.shape[-1], dtype=A.dtype, device=A.device)
    square = matmul(A, A)
    power, even, odd = square, one * factors[0], one * factors[1]
    for k in range(2, degree + 1, 2):
        even, odd = even + power * factors[k], odd + power * factors[k + 1]
        if k + 2 <= degree:
            power = matmul(power, square)
    odd = matmul(A, odd)
    return solve(even - odd, even + odd)


# ---- products ----


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the products of vectors along a dimension, summed; others broadcast."""
    check_floats(x, "linalg.vecdot")
    if x.dtype != y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of "
            f"type {type_word(x.dtype)} and y of type {type_word(y.dtype)} instead"
        )
    if x.ndim == 1 and y.ndim == 1:
        return dot(x, y, out=out)
    left, right = x.movedim(dim, -1).unsqueeze(-2), y.movedim(dim, -1).unsqueeze(-1)
    return delivered(matmul(left, right).squeeze(-1).squeeze(-1), out)


def cross(
    input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None
) -> Tensor:
    """Return the cross product of vectors of three elements along a dimension."""
    if input.ndim != other.ndim:
        raise RuntimeError(
            "linalg.cross: inputs must have the same number of dimensions."
        )
    d = wrapped(dim, input.ndim)
    if input.shape[d] != 3 or other.shape[d] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got "
            f"{input.shape[d]} and {other.shape[d]}"
        )
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"expected scalar type {type_word(input.dtype)} but found "
            f"{type_word(other.dtype)}"
        )
    if type_word(input.dtype) == "Bool":
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    y = input.roll(-1, d) * other.roll(1, d) - input.roll(1, d) * other.roll(-1, d)
    return delivered(y, out)


def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the product of a chain of matrices, in the order that costs least.

    The first and the last may be vectors.
    """
    chain = list(tensors)
    if len(chain) < 2:
        raise RuntimeError(
            f"multi_dot(): expected at least 2 tensors but got {len(chain)}"
        )
    _check_chain(chain)
    shape = [x.shape[d] for x, d in ((chain[0], 0), (chain[-1], 1)) if x.ndim == 2]
    if chain[0].ndim == 1:
        chain[0] = chain[0].unsqueeze(0)
    if chain[-1].ndim == 1:
        chain[-1] = chain[-1].unsqueeze(1)
    for k in range(1, len(chain)):
        if chain[k - 1].shape[1] != chain[k].shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {k - 1} and {k} with shapes "
                f"{list(chain[k - 1].shape)} and {list(chain[k].shape)} cannot be "
                "multiplied"
            )
    return delivered(_multiply_chain(chain).reshape(shape), out)


def _check_chain(chain: list[Tensor]) -> None:
    for k, x in enumerate(chain):
        if k in (0, len(chain) - 1):
            if x.ndim not in (1, 2):
                which = "first" if k == 0 else "last"
                raise RuntimeError(
                    f"multi_dot(): the {which} tensor must be 1D or 2D but got "
                    f"{x.ndim}D"
                )
        elif x.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {k} must be 2D but got {x.ndim}D")
        if x.dtype != chain[0].dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{type_word(chain[0].dtype).lower()} and tensor {k} "
                f"{type_word(x.dtype).lower()}"
            )


def _multiply_chain(chain: list[Tensor]) -> Tensor:
    """Choose for each part of the chain where to split it, short parts first."""
    n = len(chain)
    sizes = [x.shape[0] for x in chain] + [chain[-1].shape[1]]
    cost = [[0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], split[i][j] = min(
                (
                    cost[i][k]
                    + cost[k + 1][j]
                    + sizes[i] * sizes[k + 1] * sizes[j + 1],
                    k,
                )
                for k in range(i, j)
            )
    return _product(chain, split, 0, n - 1)


def _product(chain: list[Tensor], split: list[list[int]], i: int, j: int) -> Tensor:
    """Multiply matrices i to j of the chain, split as the table says."""
    k = split[i][j]
    if i == j:
        return chain[i]
    return matmul(_product(chain, split, i, k), _product(chain, split, k + 1, j))


# ---- tensors as matrices ----


def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of A as a map from its last dimensions to the first `ind`."""
    if ind <= 0:
        raise RuntimeError(
            f"Expected a strictly positive integer for 'ind', but got {ind}"
        )
    rows, columns = math.prod(A.shape[:ind]), math.prod(A.shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    shape = (*A.shape[ind:], *A.shape[:ind])
    return delivered(inv(A.reshape(rows, columns)).reshape(shape), out)


def tensorsolve(
    A: Tensor,
    B: Tensor,
    dims: Sequence[int] | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the X with tensordot(A, X, X.ndim) = B."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    shape = A.shape[B.ndim :]
    rows, columns = math.prod(A.shape[: B.ndim]), math.prod(shape)
    if rows != columns or rows != B.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != "
            f"{B.numel() if rows == columns else rows}"
        )
    x = solve(A.reshape(rows, columns), B.reshape(-1))
    return delivered(x.reshape(shape), out)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Return the powers 0 ... N - 1 of each element, along a new last dimension."""
    if type_word(x.dtype) in ("Half", "BFloat16", "Bool"):
        raise RuntimeError(
            "linalg.vander supports floating point, complex, and integer tensors, but "
            f"got {type_word(x.dtype)}"
        )
    if N is None and x.ndim == 0 or N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    n = x.shape[-1] if N is None else N
    x = x.unsqueeze(-1) if x.ndim else x.reshape(1, 1)
    if n < 2:
        return x.new_ones((*x.shape[:-1], n))
    powers = x.expand((*x.shape[:-1], n - 1)).cumprod(-1)
    return cat([powers.new_ones(x.shape), powers], -1)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return a view of the diagonal of each matrix."""
    return diagonal_of(A, offset, dim1, dim2)


# ---- refused ----


def _complex(op: str) -> NoReturn:
    raise NotImplementedError(
        f"linalg.{op} needs complex tensors, which are not supported; `linalg.eigh` "
        "and `linalg.eigvalsh` serve symmetric matrices"
    )


def eig(A: Tensor, *, out: Any = None) -> NoReturn:
    """Refuse: eigenvalues of general matrices are complex."""
    _complex("eig")


def eigvals(A: Tensor, *, out: Any = None) -> NoReturn:
    """Refuse: eigenvalues of general matrices are complex."""
    _complex("eigvals")


def _ldl(op: str) -> NoReturn:
    raise NotImplementedError(
        f"linalg.{op}: LDL decompositions are not supported; `linalg.lu_factor` and "
        "`linalg.lu_solve` serve the same systems"
    )


def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> NoReturn:
    """Refuse: `lu_factor` serves."""
    _ldl("ldl_factor")


def ldl_factor_ex(
    A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None
) -> NoReturn:
    """Refuse: `lu_factor_ex` serves."""
    _ldl("ldl_factor_ex")


def ldl_solve(
    LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Any = None
) -> NoReturn:
    """Refuse: `lu_solve` serves."""
    _ldl("ldl_solve")
