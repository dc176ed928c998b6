"""Ops that PyTorch's op database does not know: the same program in both libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from oracle import seed

IMAGE = (1, 2, 5, 6)
CUBE = (1, 2, 4, 5, 6)


def values(L: Any, *shape: int) -> Any:
    """Return numbers in an order that is not sorted, all different."""
    n = int(np.prod(shape))
    x = np.sin(np.arange(1, n + 1)).reshape(shape) * 3
    return L.from_numpy(x).requires_grad_()


def pooled(name: str, *shape: int, **options: Any) -> Callable[[Any], Any]:
    def program(L: Any) -> Any:
        return getattr(L.nn.functional, name)(values(L, *shape), 2, **options)

    return program


def close_to(L: Any, u: Any, s: Any, v: Any) -> list[Any]:
    """Return what does not depend on signs, to six digits."""
    return [(y * 1e6).round() for y in (s, u * s.unsqueeze(-2) @ v.mT)]


def conv_gradients(L: Any, d: int, size: tuple[int, ...]) -> list[Any]:
    """Return both gradients of a convolution, and how they depend on the other."""
    x, w = values(L, 2, 4, *size), values(L, 6, 2, *(3,) * d)
    options = (2, 1, 1, 2)
    y = getattr(L.nn.functional, f"conv{d}d")(x, w, None, *options)
    gy = L.cos(y.detach() * 3).requires_grad_()
    gx = getattr(L.nn.grad, f"conv{d}d_input")(x.shape, w, gy, *options)
    gw = getattr(L.nn.grad, f"conv{d}d_weight")(x, w.shape, gy, *options)
    twice = L.autograd.grad((gx.sin().sum() + gw.sin().sum()), (x, w, gy))
    return [gx, gw, *twice]


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "adaptive_max_pool1d_with_indices": lambda L: (
        L.nn.functional.adaptive_max_pool1d_with_indices(values(L, 2, 3, 7), 3)
    ),
    "adaptive_max_pool2d_with_indices": lambda L: (
        L.nn.functional.adaptive_max_pool2d_with_indices(values(L, *IMAGE), (2, 3))
    ),
    "adaptive_max_pool3d_with_indices": lambda L: (
        L.nn.functional.adaptive_max_pool3d_with_indices(values(L, *CUBE), 2)
    ),
    "max_pool1d_with_indices": lambda L: (
        L.nn.functional.max_pool1d_with_indices(values(L, 2, 3, 7), 2)
    ),
    "max_pool2d_with_indices": lambda L: (
        L.nn.functional.max_pool2d_with_indices(values(L, *IMAGE), 2, padding=1)
    ),
    "max_pool3d_with_indices": lambda L: (
        L.nn.functional.max_pool3d_with_indices(values(L, *CUBE), 2)
    ),
    "lp_pool1d": lambda L: L.nn.functional.lp_pool1d(values(L, 2, 3, 7), 2, 3),
    "lp_pool2d": lambda L: L.nn.functional.lp_pool2d(values(L, *IMAGE), 2, 2),
    "lp_pool3d": lambda L: L.nn.functional.lp_pool3d(values(L, *CUBE), 2, 2),
    "affine_grid": lambda L: L.nn.functional.affine_grid(
        values(L, 1, 2, 3), [1, 2, 3, 4], align_corners=False
    ),
    "affine_grid_generator": lambda L: L.affine_grid_generator(
        values(L, 1, 2, 3), [1, 2, 3, 4], True
    ),
    "grid_sampler": lambda L: L.grid_sampler(
        values(L, *IMAGE), values(L, 1, 2, 2, 2) / 3, 0, 0, False
    ),
    "upsample": lambda L: L.nn.functional.upsample(
        values(L, *IMAGE), scale_factor=2, mode="nearest"
    ),
    "detach_copy": lambda L: L.detach_copy(values(L, 3).detach()),
    "select_copy": lambda L: L.select_copy(values(L, 3, 4), 1, 2),
    "split_copy": lambda L: L.split_copy(values(L, 5, 2), 2),
    "unsafe_split_with_sizes": lambda L: L.unsafe_split_with_sizes(
        values(L, 5, 2), [1, 4]
    ),
    "as_strided_scatter": lambda L: L.as_strided_scatter(
        values(L, 3, 4), values(L, 2, 2) * 5, (2, 2), (5, 2), 1
    ),
    "native_channel_shuffle": lambda L: L.native_channel_shuffle(
        values(L, 1, 6, 2, 2), 3
    ),
    "instance_norm": lambda L: L.instance_norm(
        values(L, 2, 2, 5), None, None, None, None, True, 0.1, 1e-5, False
    ),
    "norm_except_dim": lambda L: L.norm_except_dim(values(L, 3, 4), 2, 1),
    "embedding_renorm": lambda L: L.embedding_renorm_(
        values(L, 4, 3).detach(), L.tensor([0, 2]), 1.5, 2.0
    ),
    "resize_as": lambda L: values(L, 6).detach().resize_as_(values(L, 2, 3)),
    "frombuffer": lambda L: L.frombuffer(
        bytearray(range(16)), dtype=L.int16, count=3, offset=4
    ),
    "from_dlpack": lambda L: L.from_dlpack(np.arange(6.0).reshape(2, 3)),
    "get_device": lambda L: L.get_device(values(L, 2)),
    "typename": lambda L: L.typename(3),
    "is_complex": lambda L: L.is_complex(values(L, 2)),
    "is_conj": lambda L: L.is_conj(values(L, 2)),
    "is_inference": lambda L: L.is_inference(values(L, 2)),
    "is_neg": lambda L: L.is_neg(values(L, 2)),
    "is_nonzero": lambda L: [L.is_nonzero(L.tensor(v)) for v in (0.0, -2.0)],
    "is_same_size": lambda L: L.is_same_size(values(L, 2), values(L, 2, 1)),
    "is_signed": lambda L: [L.is_signed(L.ones(1).to(t)) for t in (L.uint8, L.int8)],
    "is_storage": lambda L: [
        L.is_storage(values(L, 2).untyped_storage()), L.is_storage(3)
    ],
    "dropout1d": lambda L: L.nn.functional.dropout1d(values(L, 2, 9, 3), 0.5),
    "feature_dropout": lambda L: L.feature_dropout(values(L, 2, 9, 3), 0.5, True),
    "native_dropout": lambda L: L.native_dropout(values(L, 40), 0.5, True),
    "gumbel_softmax": lambda L: [
        L.nn.functional.gumbel_softmax(values(L, 3, 4), hard=hard)
        for hard in (False, True)
    ],
    "poisson": lambda L: L.poisson(values(L, 20).detach().abs() * 5),
    "adaptive_max_pool1d": lambda L: L.adaptive_max_pool1d(values(L, 2, 3, 7), 3),
    "unravel_index": lambda L: [
        L.unravel_index(L.tensor([[5, 11], [0, -3]]), shape)
        for shape in (12, (3, 4), [2, 6], (3, 3), L.Size((2, 2, 3)))
    ],
    "svd_lowrank": lambda L: [
        close_to(L, *L.svd_lowrank(values(L, *shape), q=4, niter=niter))
        for shape, niter in (((9, 5), 2), ((4, 8), 3), ((2, 6, 5), 4))
    ],
    "svd_lowrank of a difference": lambda L: [
        close_to(L, *L.svd_lowrank(values(L, 7, 5), q=5, M=values(L, 5) / 3)),
        L.rand(2),
    ],
    "pca_lowrank": lambda L: [
        close_to(L, *L.pca_lowrank(values(L, 6, 5), center=center, niter=4))
        for center in (True, False)
    ],
    "apply_": lambda L: [
        values(L, 3, 4).detach().t().apply_(lambda v: v * v + 1),
        L.arange(4).apply_(lambda v: v + 2.5),
    ],
    "map_": lambda L: values(L, 3, 4).detach().map_(
        values(L, 4).detach(), lambda a, b: a - 2 * b),
    "map2_": lambda L: values(L, 3).detach().map2_(
        values(L, 3).detach(), L.ones(1, dtype=L.float64), lambda a, b, c: a * b + c),
    "reversed": lambda L: [reversed(values(L, 3, 2)), reversed(L.tensor(1.0))],
    "to_dense": lambda L: [
        values(L, 3).to_dense(), values(L, 3).to_dense(L.float16),
        values(L, 3, 2).dense_dim(), values(L, 3, 2).sparse_dim(),
    ],
    "dlpack": lambda L: [
        L.from_dlpack(L.to_dlpack(values(L, 3).detach())),
        L.utils.dlpack.from_dlpack(L.utils.dlpack.to_dlpack(L.arange(3))),
    ],
    "fftfreq": lambda L: [
        L.fft.fftfreq(n, d, dtype=L.float64)
        for n in (0, 1, 4, 5) for d in (1.0, 0.3)
    ],
    "rfftfreq": lambda L: [
        L.fft.rfftfreq(n, d=2, dtype=L.float64, requires_grad=True)
        for n in (1, 4, 5)
    ],
    "fftshift": lambda L: [
        shift(values(L, 2, 3, 4), dim)
        for shift in (L.fft.fftshift, L.fft.ifftshift)
        for dim in (None, 0, -1, (0, 2), [1])
    ],
}  # fmt: skip


def parts(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [y for part in result for y in parts(part)]
    return [result]


@pytest.mark.parametrize("size", [(9,), (6, 7), (4, 5, 4)])
def test_gradients_of_convolutions_as_functions(size: tuple[int, ...]) -> None:
    d = len(size)
    expected, actual = (conv_gradients(L, d, size) for L in (torch, tt))
    for theirs, ours in zip(expected, actual, strict=True):
        # sums of a hundred terms, added in another order
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), 1e-11, 1e-11
        )


WINDOWS: dict[str, Callable[..., Any]] = {
    "hann": lambda L, *size, **kw: L.hann_window(*size, **kw),
    "hamming": lambda L, *size, **kw: L.hamming_window(*size, **kw),
    "hamming of other weights": lambda L, *size, **kw: L.hamming_window(
        *size, 0.6, 0.4, **kw
    ),
    "blackman": lambda L, *size, **kw: L.blackman_window(*size, **kw),
    "bartlett": lambda L, *size, **kw: L.bartlett_window(*size, **kw),
    "kaiser": lambda L, *size, **kw: L.kaiser_window(*size, **kw),
    "kaiser of another width": lambda L, *size, **kw: L.kaiser_window(*size, 3.0, **kw),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    window = WINDOWS[name]
    for length in (0, 1, 2, 5, 16):
        for periodic in (True, False):
            expected, actual = (
                window(L, length, periodic, dtype=L.float64).numpy()
                for L in (torch, tt)
            )
            np.testing.assert_allclose(actual, expected, 1e-12, 1e-14)
    assert window(tt, 4, True).dtype == tt.float32
    with pytest.raises(RuntimeError, match="floating point dtypes, got: torch.int64"):
        window(tt, 4, True, dtype=tt.int64)


@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_losses_with_a_number_as_reduction(reduction: int) -> None:
    def program(L: Any) -> list[Any]:
        x, y = values(L, 4, 3), values(L, 4, 3) * 0.5 + 0.1
        sides = L.tensor([1.0, -1.0, 1.0, -1.0])
        p = L.softmax(y, 1)
        return [
            L.binary_cross_entropy_with_logits(x, p, None, None, reduction),
            L.cosine_embedding_loss(x, y, sides, 0.1, reduction),
            L.hinge_embedding_loss(x, sides[:, None], 1.0, reduction),
            L.kl_div(x, p, reduction),
            L.margin_ranking_loss(x[:, 0], y[:, 1], sides, 0.5, reduction),
            L.poisson_nll_loss(x, p, True, False, 1e-8, reduction),
            L.triplet_margin_loss(x, y, p, 1.0, 2, 1e-6, False, reduction),
        ]

    for theirs, ours in zip(program(torch), program(tt), strict=True):
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), 1e-12, 1e-14
        )


@pytest.mark.filterwarnings("ignore:.*upsample.*deprecated")
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_program_same_result(name: str) -> None:
    results = []
    for library in (torch, tt):
        seed(7)
        results.append(parts(PROGRAMS[name](library)))
    expected, actual = results
    assert len(expected) == len(actual)
    for theirs, ours in zip(expected, actual, strict=True):
        if not isinstance(theirs, torch.Tensor):
            assert ours == theirs
            continue
        assert ours.requires_grad == theirs.requires_grad
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), 1e-12, 1e-14
        )


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_incomplete_gamma_functions(name: str, rng: np.random.Generator) -> None:
    a = np.exp(rng.uniform(-4, 12, 2000))
    x = a * np.exp(rng.normal(0, 1, 2000) * np.minimum(1, 3 / np.sqrt(a)))
    expected = getattr(torch.special, name)(torch.from_numpy(a), torch.from_numpy(x))
    actual = getattr(tt.special, name)(tt.from_numpy(a), tt.from_numpy(x)).numpy()
    # PyTorch's expansion for a > 20 has relative errors of 2e-9.
    np.testing.assert_allclose(actual, expected.numpy(), 5e-9, 1e-14)
    exact = {"gammainc": 0.07376971440486438, "gammaincc": 1 - 0.07376971440486438}
    a, x = (
        tt.tensor(v, dtype=tt.float64) for v in (20.870356172609462, 14.66226088878)
    )
    assert abs(getattr(tt.special, name)(a, x).item() - exact[name]) < 1e-12


# ---- no gradient is dropped silently ----


# PyTorch's results have a history that fails when it is used, ours have none.
UNDIFFERENTIABLE = {"histogram", "histogramdd", "unique", "unique_consecutive"}


def test_derivatives_exist_where_they_do_in_pytorch() -> None:
    """A result has a history in both libraries or in neither, for each op known."""
    import opdb
    from oracle import Missing, Refused, tensors, to_tiny, translate

    different, seen = [], 0
    for name in opdb.NAMES:
        info = opdb.op_infos()[name][0]
        if not info.supports_dtype(torch.float64, "cpu"):
            continue
        samples = info.sample_inputs("cpu", torch.float64, requires_grad=True)
        sample = next(iter(samples), None)
        if sample is None:
            continue
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of ops deprecated in both
                ours = translate(info.op)(*to_tiny(args), **to_tiny(kwargs))
                theirs = info.op(*args, **kwargs)
        except (Missing, Refused, AttributeError, NotImplementedError):
            continue  # what is missing or refused says so
        except (RuntimeError, TypeError):
            continue  # an op that wants a leaf of its own; test_opdb.py compares it
        seen += 1
        found = [y.requires_grad for y in parts(ours) if isinstance(y, tt.Tensor)]
        if found != [y.requires_grad for y in tensors(theirs)]:
            different.append((name, found))
    assert {name for name, _ in different} == UNDIFFERENTIABLE, different
    assert seen > 300
