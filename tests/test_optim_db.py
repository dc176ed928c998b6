"""Every input of PyTorch's own optimizer database: 20 steps beside PyTorch's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import tinytorch as tt
import tinytorch.optim
from optim_table import LOOSE, MISSING, REFUSED, STEPS, TOLERANCE, WITHOUT_STATE

database = pytest.importorskip("torch.testing._internal.common_optimizers")
DB = {info.optim_cls.__name__: info for info in database.optim_db}
RUN = [name for name in DB if name not in REFUSED]
MOST_STEPS = 20
SHAPES = ((6, 4), (6,), (3, 6), (3,))


def ours(value: Any) -> Any:
    """Return what an input holds with tensors of ours in the place of PyTorch's."""
    if isinstance(value, torch.Tensor):
        dtype = getattr(tt, str(value.dtype).removeprefix("torch."))
        made = tt.tensor(value.detach().tolist(), dtype=dtype)
        return made.requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: ours(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(ours(item) for item in value)
    return value


def inputs() -> list[Any]:
    """Return (optimizer, options, dtype); PyTorch's other ways with the defaults."""
    rows = []
    for name in RUN:
        info = DB[name]
        for entry in info.optim_inputs_func("cpu"):
            for dtype in ("float32", "float64"):
                ident = f"{name}-{entry.desc}-{dtype}"
                rows.append(pytest.param(name, entry.kwargs, dtype, id=ident))
        for way in sorted({*info.supported_impls} & {"foreach", "fused"}):
            ident = f"{name}-{way}"
            rows.append(pytest.param(name, {way: True}, "float32", id=ident))
    return rows


def train(m: Any, name: str, options: Any, dtype: str) -> tuple[Any, list[float]]:
    """Return the optimizer of a small network after some steps, and its losses."""
    rng = np.random.default_rng(7)
    kind = getattr(m, dtype)
    shapes = [s for s in SHAPES if name != "Muon" or len(s) == 2]
    params = [m.tensor(rng.standard_normal(s).tolist(), dtype=kind).requires_grad_()
              for s in shapes]
    x = m.tensor(rng.standard_normal((5, 4)).tolist(), dtype=kind)
    optimizer = getattr(m.optim, name)(params, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        if name == "Muon":
            y = (x @ params[0].t()).tanh() @ params[1].t()
        else:
            y = (x @ params[0].t() + params[1]).tanh() @ params[2].t() + params[3]
        loss = (y - 0.5).square().mean()
        loss.backward()
        return loss

    steps = STEPS.get(name, MOST_STEPS)
    losses = [float(optimizer.step(closure).detach()) for _ in range(steps)]
    return optimizer, losses


def arrays(optimizer: Any) -> dict[str, Any]:
    """Return all numbers of an optimizer by name: parameters and states."""
    found: dict[str, Any] = {}
    for i, p in enumerate(optimizer.param_groups[0]["params"]):
        found[f"parameter {i}"] = p.detach().numpy()
        for key, value in optimizer.state[p].items():
            if hasattr(value, "numpy"):
                found[f"{key} of {i}"] = value.detach().numpy()
            elif isinstance(value, (int, float)):
                found[f"{key} of {i}"] = np.asarray(value)
    return found


@pytest.mark.parametrize(("name", "options", "dtype"), inputs())
def test_steps_equal_pytorch(name: str, options: dict[str, Any], dtype: str) -> None:
    theirs, wanted_losses = train(torch, name, options, dtype)
    mine, losses = train(tt, name, ours(options), dtype)
    tolerance = LOOSE.get((name, dtype), (TOLERANCE[dtype], ""))[0]
    wanted, got = arrays(theirs), arrays(mine)
    assert got.keys() == wanted.keys()
    for key, value in wanted.items():
        if (name, dtype) in WITHOUT_STATE and not key.startswith("parameter"):
            continue
        assert got[key].shape == value.shape, key
        if value.ndim:
            assert got[key].dtype == value.dtype, key
        np.testing.assert_allclose(
            got[key], value, rtol=tolerance, atol=tolerance, err_msg=key
        )
    np.testing.assert_allclose(losses, wanted_losses, rtol=tolerance, atol=tolerance)


def errors() -> Iterator[Any]:
    """Yield the database's error inputs."""
    for name in RUN:
        for entry in DB[name].optim_error_inputs_func("cpu", torch.float32):
            description = entry.optimizer_error_input.desc
            if not any(part in description for part in MISSING):
                yield pytest.param(name, entry, id=f"{name}-{description}")


@pytest.mark.parametrize(("name", "entry"), list(errors()))
def test_error_inputs_raise_alike(name: str, entry: Any) -> None:
    given = entry.optimizer_error_input
    params = given.params
    if params is None:
        params = [torch.nn.Parameter(torch.randn(2, 3))]
    params = shared(params)
    check = pytest.warns if issubclass(entry.error_type, Warning) else pytest.raises
    with check(entry.error_type, match=entry.error_regex):
        getattr(tt.optim, name)(params, **ours(given.kwargs))


def shared(params: Any) -> Any:
    """Return `ours`, with the same tensor wherever PyTorch's is the same."""
    made: dict[int, Any] = {}

    def convert(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return made.setdefault(id(value), ours(value))
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(convert(item) for item in value)
        return value

    return convert(params)


def test_what_is_refused_says_why() -> None:
    w = tt.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="sparse"):
        tt.optim.SparseAdam([w])
    for name in RUN:
        if "differentiable" in DB[name].supported_impls:
            with pytest.raises(NotImplementedError, match="differentiable"):
                getattr(tt.optim, name)([w], differentiable=True)


def test_signatures_and_defaults_are_pytorch_s() -> None:
    import inspect

    for name in RUN:
        cls, wanted = getattr(tt.optim, name), getattr(torch.optim, name)
        parts = [
            [(p.name, p.kind, p.default)
             for p in inspect.signature(c.__init__).parameters.values()]
            for c in (cls, wanted)
        ]
        assert parts[0] == parts[1], name
        params = [[m.ones(2, 2, requires_grad=True)] for m in (tt, torch)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mine, theirs = cls(params[0]), wanted(params[1])
        assert list(mine.defaults.items()) == list(theirs.defaults.items()), name
        assert repr(mine) == repr(theirs)
