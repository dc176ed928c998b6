"""Transforms and constraints against PyTorch's: values, inverses, Jacobians, reprs."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
import tinytorch.distributions as td
from test_distributions import T, agree, build, close, outcome

TRANSFORMS = [
    ("ExpTransform", (), [0.3, -1.0, 2.0]),
    ("SigmoidTransform", (), [0.3, -1.0, 2.0]),
    ("TanhTransform", (), [0.3, -1.0, 2.0]),
    ("SoftplusTransform", (), [0.3, -1.0, 2.0]),
    ("PowerTransform", (T(2.5),), [0.3, 1.0, 2.0]),
    ("AffineTransform", (1.0, -2.0), [0.3, -1.0, 2.0]),
    ("AffineTransform", (T([1.0, 2.0, 3.0]), T([1.0, -2.0, 3.0]), 1), [0.3, -1.0, 2.0]),
    ("StickBreakingTransform", (), [0.3, -1.0, 2.0]),
    ("SoftmaxTransform", (), [0.3, -1.0, 2.0]),
    ("CorrCholeskyTransform", (), [0.3, -1.0, 2.0]),
    ("LowerCholeskyTransform", (), [[0.3, 0.0], [1.0, 2.0]]),
    ("PositiveDefiniteTransform", (), [[0.3, 0.0], [1.0, 2.0]]),
    ("ReshapeTransform", ((3,), (3, 1)), [0.3, -1.0, 2.0]),
]


@pytest.mark.parametrize("made", TRANSFORMS, ids=lambda t: t[0])
def test_transforms(made: Any) -> None:
    name, args, data = made
    ours, theirs = (build(lib, name, args, {}) for lib in (tt, torch))
    x, z = tt.tensor(data, dtype=tt.float64), torch.tensor(data, dtype=torch.float64)
    close(ours(x), theirs(z))
    close(ours.inv(ours(x)), theirs.inv(theirs(z)), 1e-7)
    agree(
        outcome(lambda: ours.log_abs_det_jacobian(x, ours(x))),
        outcome(lambda: theirs.log_abs_det_jacobian(z, theirs(z))),
        1e-7,
    )
    assert repr(ours) == repr(theirs) and repr(ours.inv) == repr(theirs.inv)
    assert tuple(ours.forward_shape(x.shape)) == tuple(theirs.forward_shape(z.shape))
    assert ours.bijective == theirs.bijective
    assert ours.domain.event_dim == theirs.domain.event_dim
    assert ours.codomain.event_dim == theirs.codomain.event_dim
    assert ours.inv.inv is ours
    cached = ours.with_cache()
    assert cached.inv(y := cached(x)) is x and cached(x) is y


def test_composed_transforms() -> None:
    for lib in (tt, torch):
        t = lib.distributions
        chain = t.ComposeTransform([t.AffineTransform(0.5, 2.0), t.SigmoidTransform()])
        stacked = t.StackTransform([t.ExpTransform(), chain], dim=-1)
        joined = t.CatTransform([t.ExpTransform(), chain], dim=-1, lengths=[1, 1])
        wide = t.IndependentTransform(chain, 1)
        x = lib.tensor([[0.3, -0.2], [1.0, 0.1]], dtype=lib.float64)
        results = [
            f(t_, x)
            for t_ in (chain, stacked, joined, wide)
            for f in (
                lambda t_, x: t_(x),
                lambda t_, x: t_.inv(t_(x)),
                lambda t_, x: t_.log_abs_det_jacobian(x, t_(x)),
            )
        ]
        d = t.TransformedDistribution(t.Normal(lib.zeros(2), lib.ones(2)), [wide])
        y = lib.tensor([[0.3, 0.4]])
        results += [d.log_prob(y), chain.inv(chain.inv.inv(x))]
        d = t.TransformedDistribution(t.Normal(lib.zeros(2), lib.ones(2)), [chain])
        results += [d.log_prob(y), d.cdf(y), d.icdf(y)]
        if lib is tt:
            mine = results
    for a, b in zip(mine, results, strict=True):
        close(a, b, 1e-6)


REGIONS = [
    ("real", None), ("positive", None), ("nonnegative", None), ("unit_interval", None),
    ("simplex", None), ("lower_cholesky", None), ("positive_definite", None),
    ("corr_cholesky", None), ("greater_than", (2.0,)), ("less_than", (2.0,)),
    ("interval", (-1.0, 3.0)), ("half_open_interval", (-1.0, 3.0)),
]


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r[0])
def test_transforms_onto_regions(region: Any) -> None:
    name, args = region
    for kind in ("biject_to", "transform_to"):
        results = []
        if kind == "biject_to" and name in ("lower_cholesky", "positive_definite"):
            continue  # the one map is onto, but not one-to-one
        for lib in (tt, torch):
            c = getattr(lib.distributions.constraints, name)
            c = c if args is None else c(*args)
            t = getattr(lib.distributions, kind)(c)
            shape = (2, 2) if c.event_dim == 2 and name != "corr_cholesky" else (3,)
            x = lib.linspace(-1, 1, math.prod(shape), dtype=lib.float64).reshape(shape)
            assert bool(c.check(t(x)).all())
            results.append(t(x))
            results.append(c)
        close(results[0], results[2])
        assert repr(results[1]) == repr(results[3])
    assert td.constraints.is_dependent(td.constraints.dependent)


CHECKS = [
    ("boolean", None), ("one_hot", None), ("simplex", None), ("real", None),
    ("nonnegative_integer", None), ("positive_integer", None), ("positive", None),
    ("integer_interval", (0, 2)), ("multinomial", (3,)), ("interval", (0.0, 1.0)),
    ("half_open_interval", (0.0, 1.0)), ("less_than", (1.0,)), ("real_vector", None),
    ("greater_than_eq", (1.0,)), ("square", None), ("symmetric", None),
    ("lower_triangular", None), ("positive_semidefinite", None), ("nonnegative", None),
]


@pytest.mark.parametrize("region", CHECKS, ids=lambda r: r[0])
def test_constraints_check_and_hold(region: Any) -> None:
    name, args = region
    for data in (
        [[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [2.0, 1.0]], [[-1.0, math.nan]],
        [[1.0, 0.3], [0.3, 1.0]], [[math.inf, 0.0], [0.0, 1.5]],
    ):
        c, d = (getattr(lib.distributions.constraints, name) for lib in (tt, torch))
        if args is not None:
            c, d = c(*args), d(*args)
        x, y = tt.tensor(data), torch.tensor(data)
        theirs = outcome(lambda d=d, y=y: d.check(y))
        if isinstance(theirs, type):
            continue
        assert c.check(x).tolist() == theirs.tolist()
        assert c.holds(x) == bool(theirs.all())
        assert repr(c) == repr(d)


def test_cat_and_stack_constraints() -> None:
    for lib in (tt, torch):
        c = lib.distributions.constraints
        x = lib.tensor([[1.0, 0.2], [0.0, 0.7]])
        joined = c.cat([c.boolean, c.unit_interval], dim=-1, lengths=[1, 1])
        stacked = c.stack([c.boolean, c.positive], dim=-1)
        assert joined.check(x).all() and stacked.check(x).all()
        assert not stacked.check(-x).all()
