"""Ops that PyTorch's op database does not know: the same program in both libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from oracle import seed

torch = pytest.importorskip("torch")

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
}  # fmt: skip


def parts(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [y for part in result for y in parts(part)]
    return [result]


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
