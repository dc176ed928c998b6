"""Frequent parametrizations: orthogonal, of norm one, length and direction."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import tinytorch
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.functional.normalization import normalize
from tinytorch.nn.modules.module import Module
from tinytorch.nn.utils.parametrize import register_parametrization
from tinytorch.nn.utils.spectral_norm import _default_dim

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


def _is_orthogonal(q: Any) -> bool:
    k = q.size(-1)
    eye = tinytorch.eye(k, dtype=q.dtype, device=q.device)
    eps = 10.0 * k * tinytorch.finfo(q.dtype).eps
    return bool(((q.mT @ q - eye).abs() <= eps).all())


def _make_orthogonal(a: Any) -> Any:
    """Return the factor Q of a matrix, signed so that R's diagonal is positive."""
    x, tau = tinytorch.geqrf(a)
    q = tinytorch.linalg.householder_product(x, tau)
    return q * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix with orthonormal columns, or rows if there are fewer."""

    base: Any

    def __init__(
        self, weight: Any, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True
    ) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map is _OrthMaps.householder:
            raise ValueError(
                "The householder parametrization does not support complex tensors."
            )
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        n, k = X.size(-2), X.size(-1)
        wide = n < k
        if wide:
            X = X.mT
            n, k = k, n
        if self.orthogonal_map is _OrthMaps.householder:
            # the columns are reflections, with an implied one on the diagonal
            low = X.tril(-1)
            tau = 2.0 / (1.0 + (low * low).sum(dim=-2))
            q = tinytorch.linalg.householder_product(X, tau)
            q = q * X.diagonal(dim1=-2, dim2=-1).int().to(X.dtype).unsqueeze(-2)
        else:
            a = X.tril()
            if n != k:
                pad = a.new_zeros((*a.shape[:-2], n, n - k))
                a = tinytorch.cat([a, pad], dim=-1)
            skew = a - a.mT
            if self.orthogonal_map is _OrthMaps.matrix_exp:
                q = tinytorch.matrix_exp(skew)
            else:
                eye = tinytorch.eye(n, dtype=a.dtype, device=a.device)
                half = skew / 2
                q = tinytorch.linalg.solve(eye - half, eye + half)
            if n != k:
                q = q[..., :k]
        if hasattr(self, "base") and self.base is not None:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, Q: Any) -> Any:
        """Return what is stored for an orthogonal matrix, or for one made so."""
        with no_grad():
            return self._stored(Q)

    def _stored(self, Q: Any) -> Any:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a "
                f"tensor of shape {Q.shape}."
            )
        wide = Q.size(-2) < Q.size(-1)
        if wide:
            Q = Q.mT
        n, k = Q.size(-2), Q.size(-1)
        if not hasattr(self, "base"):
            if self.orthogonal_map is not _OrthMaps.householder:
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the "
                    "Cayley parametrizations when use_trivialization=False."
                )
            a, tau = tinytorch.geqrf(Q)
            diagonal = a.diagonal(dim1=-2, dim2=-1)
            # a reflection of a zero vector counts with the opposite sign
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1
            return a.mT if wide else a
        if n == k:
            q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
            self.base = q
        else:
            # the columns that are missing from a square orthogonal matrix
            rest = tinytorch.randn(*Q.size()[:-2], n, n - k, dtype=Q.dtype)
            q = _make_orthogonal(tinytorch.cat([Q, rest], dim=-1))
            self.base = q
        # stored relative to the base: what each of the maps takes to the identity
        start = tinytorch.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start.mT if wide else start


def orthogonal(
    module: Any,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Any:
    """Keep a weight orthogonal.

    Args:
        name: the parameter.
        orthogonal_map: ``"matrix_exp"`` (for square matrices by default), ``"cayley"``
            or ``"householder"``.
        use_trivialization: store the weight relative to its first value.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, tinytorch.Tensor):
        raise ValueError(
            f"Module '{module}' has no parameter or buffer with name '{name}'"
        )
    if weight.ndim < 2:
        raise ValueError(
            "Expected a matrix or batch of matrices. Got a tensor of "
            f"{weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = (
            "matrix_exp" if square or weight.is_complex() else "householder"
        )
    kind = getattr(_OrthMaps, orthogonal_map, None)
    if kind is None:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    function = _Orthogonal(weight, kind, use_trivialization=use_trivialization)
    return register_parametrization(module, name, function, unsafe=True)


class _WeightNorm(Module):
    """A weight as length times direction."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return weight_v * (weight_g / tinytorch.norm_except_dim(weight_v, 2, self.dim))

    def right_inverse(self, weight: Any) -> Any:
        """Return length and direction."""
        return tinytorch.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Train a weight as length (``original0``) and direction (``original1``).

    Args:
        name: the parameter.
        dim: the dimension whose slices have a length each; None for one of all.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def read_old_names(state_dict: Any, prefix: str, *others: Any) -> None:
        """Read what the hook of ``nn.utils.weight_norm`` wrote."""
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            start = f"{prefix}parametrizations.{name}.original"
            state_dict[start + "0"] = state_dict.pop(g)
            state_dict[start + "1"] = state_dict.pop(v)

    module._register_load_state_dict_pre_hook(read_old_names)
    return module


class _SpectralNorm(Module):
    """A weight over its largest singular value."""

    _u: Any
    _v: Any

    def __init__(
        self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, "
                f"{ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:  # of a vector the norm is its length
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight)
            rows, cols = matrix.size()
            u = matrix.new_empty(rows).normal_(0, 1)
            v = matrix.new_empty(cols).normal_(0, 1)
            self.register_buffer("_u", normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", normalize(v, dim=0, eps=eps))
            self._iterate(matrix, 15)  # a good start

    def _matrix(self, weight: Any) -> Any:
        if self.dim != 0:
            weight = weight.movedim(self.dim, 0)
        return weight.flatten(1)

    def _iterate(self, matrix: Any, n: int) -> None:
        # in place: copies of the module which share the buffers see the progress
        with no_grad():
            for _ in range(n):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.mT.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        # the graph keeps these two, which the next call writes again
        u, v = self._u.clone(), self._v.clone()
        return weight / tinytorch.vdot(u, tinytorch.mv(matrix, v))

    def right_inverse(self, value: Any) -> Any:
        """Return the value itself: it is stored with whatever norm it has."""
        return value


def spectral_norm(
    module: Any,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Any:
    """Keep a weight's largest singular value at one.

    Args:
        name: the parameter.
        n_power_iterations: how often the estimate is improved in each call.
        eps: keeps norms from zero.
        dim: the dimension of the outputs.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, tinytorch.Tensor):
        raise ValueError(
            f"Module '{module}' has no parameter or buffer with name '{name}'"
        )
    if dim is None:
        dim = _default_dim(module)
    function = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, function)
