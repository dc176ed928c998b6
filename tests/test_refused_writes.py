"""Writes that are refused, in PyTorch's words, with nothing written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:An output with one or more elements")


# ---- what brings a history, written into a view that has none ----

Write = Callable[[Any, Any, Any], Any]
WRITES: dict[str, Write] = {
    "addcmul_": lambda v, s, i: v.addcmul_(s.detach(), s),
    "addcmul_first": lambda v, s, i: v.addcmul_(s, s.detach()),
    "addcdiv_": lambda v, s, i: v.addcdiv_(s, s),
    "lerp_": lambda v, s, i: v.lerp_(s, 0.5),
    "lerp_weight": lambda v, s, i: v.lerp_(s.detach(), s),
    "clamp_": lambda v, s, i: v.clamp_(s, s + 1),
    "scatter_": lambda v, s, i: v.scatter_(0, i, s),
    "scatter_add_": lambda v, s, i: v.scatter_add_(0, i, s),
    "scatter_reduce_": lambda v, s, i: v.scatter_reduce_(0, i, s, "prod"),
    "index_add_": lambda v, s, i: v.index_add_(0, i, s),
    "index_copy_": lambda v, s, i: v.index_copy_(0, i, s),
    "index_put_": lambda v, s, i: v.index_put_((i,), s),
    "index_fill_": lambda v, s, i: v.index_fill_(0, i, s.sum()),
    "masked_fill_": lambda v, s, i: v.masked_fill_(i == 0, s.sum()),
    "masked_scatter_": lambda v, s, i: v.masked_scatter_(i < 9, s),
    "put_": lambda v, s, i: v.put_(i, s),
    "fill_": lambda v, s, i: v.fill_(s.sum()),
    "index": lambda v, s, i: v.__setitem__(i, s),
    "mask": lambda v, s, i: v.__setitem__(i < 9, s),
    "slice": lambda v, s, i: v.__setitem__(slice(0, 2), s[:2]),
    "addmm_": lambda v, s, i: v[None].addmm_(s[None, :2], s[:2, None].expand(-1, 3)),
} | {
    name: lambda v, s, i, name=name: getattr(v, name)(s)
    for name in (
        "add_", "sub_", "mul_", "div_", "copy_", "pow_", "atan2_", "hypot_", "xlogy_",
        "copysign_", "ldexp_", "fmod_", "remainder_", "float_power_", "clamp_min_",
        "clamp_max_")
}


@pytest.mark.parametrize("name", WRITES)
def test_history_into_a_view_without(name: str) -> None:
    """PyTorch refuses before it writes; so do we, in its words."""
    said = []
    for library in (tt, torch):
        base = library.ones(5)
        source = library.ones(3, requires_grad=True)
        with library.no_grad():
            view = base[1:4]
        with pytest.raises(RuntimeError) as refused:
            WRITES[name](view, source, library.tensor([0, 2, 1]))
        assert base.tolist() == [1] * 5, library.__name__
        said.append(str(refused.value))
    assert said[0] == said[1]


# ---- out= over what is joined ----

JOINS: dict[str, Callable[[Any, Any], Any]] = {
    "itself": lambda L, x: L.cat((x, x), out=x),
    "itself, empty": lambda L, x: L.cat((x[:0], x), out=x[:0]),
    "an empty tensor itself": lambda L, x: (lambda e: L.cat((e, x), out=e))(x[:0]),
    "its first rows": lambda L, x: L.cat((x, x), out=x[:2]),
    "the same rows": lambda L, x: L.cat((x[:2], x), out=x[:2]),
    "the same columns": lambda L, x: L.cat((x[:, 1:3], x), 1, out=x[:, 1:3]),
    "other columns": lambda L, x: L.cat((x[:, 1:2],), out=x[:, 2:3]),
    "the rows behind": lambda L, x: L.cat((x[:1], x[1:2]), out=x[2:]),
    "repeated": lambda L, x: L.cat((x, x), out=L.ones(3).expand(8, 3)),
    "concat": lambda L, x: L.concat((x, x), out=x),
    "stack": lambda L, x: L.stack((x, x), out=x),
    "hstack": lambda L, x: L.hstack((x, x), out=x),
    "vstack": lambda L, x: L.vstack((x[0], x[1]), out=x[1:3]),
    "dstack": lambda L, x: L.dstack((x, x), out=x),
    "column_stack": lambda L, x: L.column_stack((x, x), out=x),
    "kthvalue": lambda L, x: L.kthvalue(x[0], 2, out=(x[0, 0], L.tensor(0))),
    "kthvalue elsewhere": lambda L, x: L.kthvalue(x[0], 2, out=(x[1, 0], L.tensor(0))),
}


def refusal(library: Any, x: Any, join: Callable[[Any, Any], Any]) -> str:
    try:
        join(library, x)
    except RuntimeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", JOINS)
def test_out_over_what_is_joined(name: str) -> None:
    """PyTorch's out= has got the new shape when it refuses; ours is as it was."""
    x, t = (L.arange(12.0).reshape(4, 3) for L in (tt, torch))
    before = x.tolist()
    said = refusal(tt, x, JOINS[name])
    assert said == refusal(torch, t, JOINS[name])
    assert x.tolist() == (before if said else t.tolist())
