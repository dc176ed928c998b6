"""Classes of users, modules and optimizers in files."""

from __future__ import annotations

import collections
import io
import pickle
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinytorch as tt
from serialized import BOTH, loaded, same, saved
from tinytorch.serialization import safe_globals

torch = pytest.importorskip("torch")



# ---- classes ----


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


class Slotted:
    __slots__ = ("a",)


class Marked(tt.Tensor):
    """A subclass of a user's."""


def test_users_classes() -> None:
    point = Point(tt.ones(2))
    slotted = Slotted()
    slotted.a = 3
    content = saved(tt, [point, slotted])
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        loaded(tt, content)
    got = loaded(tt, content, weights_only=False)
    assert same(got[0].x, point.x) and got[1].a == 3
    with safe_globals([Point, Slotted]):
        got = loaded(tt, content)
        assert type(got[0]) is Point and same(got[0].x, point.x) and got[1].a == 3
    with safe_globals([(Point, f"{__name__}.Point"), Slotted]):
        assert loaded(tt, content)[1].a == 3
    with pytest.raises(pickle.UnpicklingError):
        loaded(tt, content)


def test_lists_of_unsafe_globals() -> None:
    from tinytorch.serialization import get_unsafe_globals_in_checkpoint as unsafe

    content = saved(tt, [Point(1), tt.ones(1)])
    assert unsafe(io.BytesIO(content)) == [f"{__name__}.Point"]
    assert unsafe(io.BytesIO(saved(tt, tt.ones(1)))) == []
    with safe_globals([Point]):
        assert unsafe(io.BytesIO(content)) == []


def test_subclasses_of_tensor() -> None:
    x = tt.arange(3.0).as_subclass(Marked)
    x.label = "a"
    content = saved(tt, x)
    got = loaded(tt, content, weights_only=False)
    assert type(got) is Marked and got.label == "a" and got.tolist() == [0, 1, 2]
    with safe_globals([Marked]):
        assert type(loaded(tt, content)) is Marked
    with pytest.raises(pickle.UnpicklingError):
        loaded(tt, content)


def test_numpy_scalars_of_old_checkpoints() -> None:
    content = saved(torch, {"loss": np.float64(0.5)})
    assert loaded(tt, content, weights_only=False)["loss"] == 0.5
    scalar = np.float64(0.5).__reduce__()[0]
    allowed = [scalar, np.dtype, type(np.dtype("float64"))]
    with safe_globals([*allowed, (scalar, "numpy.core.multiarray.scalar")]):
        assert loaded(tt, content)["loss"] == 0.5


# ---- modules and optimizers ----


def network(library: Any) -> Any:
    nn = library.nn
    library.manual_seed(0)
    return nn.Sequential(
        collections.OrderedDict([
            ("conv", nn.Conv2d(1, 3, 3, padding="same")), ("norm", nn.BatchNorm2d(3)),
            ("act", nn.ReLU()), ("pool", nn.MaxPool2d(2)), ("flat", nn.Flatten()),
            ("drop", nn.Dropout(0.1)), ("head", nn.Linear(12, 2)),
            ("list", nn.Sequential(nn.Identity(), nn.GELU(), nn.LayerNorm(2))),
        ]))


def trained(library: Any, kind: str, **options: Any) -> tuple[Any, Any]:
    """A network and its optimizer after two steps."""
    model = network(library)
    model.drop.eval()
    optimizer = getattr(library.optim, kind)(model.parameters(), **options)
    scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    x = library.arange(32.0).view(2, 1, 4, 4).div(32)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return model, (optimizer, scheduler)


@BOTH
def test_state_dicts_of_modules(weights_only: bool) -> None:
    for source, target in ((tt, torch), (torch, tt)):
        model, other = network(source), network(target)
        source_state = model.state_dict()
        state = loaded(target, saved(source, source_state), weights_only=weights_only)
        assert list(state) == list(source_state)
        for parameter in other.parameters():
            parameter.data.zero_()
        other.load_state_dict(state)
        x = source.arange(16.0).view(1, 1, 4, 4)
        y = target.arange(16.0).view(1, 1, 4, 4)
        a, b = model.eval()(x), other.eval()(y)
        assert np.allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind, options", [
    ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True}), ("RMSprop", {"lr": 0.01}),
    ("Adadelta", {"lr": 1.0})])
def test_states_of_optimizers(kind: str, options: dict[str, Any]) -> None:
    """Training goes on in the other library, from its file, with the same numbers."""
    x = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4) / 32
    for source, target in ((tt, torch), (torch, tt)):
        model, (optimizer, scheduler) = trained(source, kind, **options)
        content = saved(source, {"model": model.state_dict(), "optimizer":
                                 optimizer.state_dict(), "epoch": 2,
                                 "scheduler": scheduler.state_dict()})
        state = loaded(target, content)
        other, (its, other_scheduler) = trained(target, kind, lr=0.5)
        other.load_state_dict(state["model"])
        its.load_state_dict(state["optimizer"])
        other_scheduler.load_state_dict(state["scheduler"])
        losses = []
        for library, net, steps, lr in ((source, model, optimizer, scheduler),
                                        (target, other, its, other_scheduler)):
            for _ in range(3):
                steps.zero_grad()
                loss = net(library.from_numpy(x)).square().mean()
                loss.backward()
                steps.step()
                lr.step()
                losses.append(loss.item())
        assert np.allclose(losses[:3], losses[3:], rtol=1e-4), (source, losses)
        assert its.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_classes_are_in_the_modules_that_pickles_name() -> None:
    elsewhere = {
        name for name, theirs in vars(torch.nn).items()
        if isinstance(theirs, type) and isinstance(getattr(tt.nn, name, None), type)
        and theirs.__module__ != getattr(tt.nn, name).__module__.replace(
            "tinytorch", "torch", 1)}
    assert elsewhere == set()


def test_whole_modules_in_both_directions() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    for source, target in ((tt, torch), (torch, tt)):
        model = network(source).eval()
        got = loaded(target, saved(source, model), weights_only=False)
        assert type(got) is target.nn.Sequential
        assert type(got.conv) is target.nn.Conv2d and not got.training
        a = model(source.from_numpy(x)).detach().numpy()
        b = got(target.from_numpy(x)).detach().numpy()
        assert np.allclose(a, b, atol=1e-6)
        assert [n for n, _ in got.named_parameters()] == [
            n for n, _ in model.named_parameters()]
        got.train()(target.from_numpy(x)).sum().backward()
        assert got.head.weight.grad is not None
        called = mock.Mock(return_value=None)
        got.register_forward_hook(called)
        got(target.from_numpy(x))
        assert called.call_count == 1
        with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
            loaded(target, saved(source, model))


def test_whole_modules_with_safe_globals() -> None:
    nn = tt.nn
    content = saved(torch, torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()))
    with safe_globals([nn.Sequential, nn.Linear, nn.ReLU]):
        got = loaded(tt, content)
    assert type(got[0]) is nn.Linear and repr(got[1]) == "ReLU()"


class Custom(tt.nn.Module):
    """A module of a user's, with a function of the library as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.line = tt.nn.Linear(2, 2)
        self.act = tt.nn.functional.relu
        self.register_buffer("count", tt.zeros(1))

    def forward(self, x: Any) -> Any:
        return self.act(self.line(x))


def test_modules_of_users() -> None:
    model = Custom()
    got = loaded(tt, saved(tt, model), weights_only=False)
    assert type(got) is Custom and got.act is tt.nn.functional.relu
    x = tt.ones(3, 2)
    assert same(got(x), model(x)) and list(got.state_dict()) == list(model.state_dict())


def test_names_that_tinytorch_does_not_have() -> None:
    content = saved(torch, torch.nn.quantized.FloatFunctional())
    with pytest.raises(AttributeError, match="tinytorch does not have"):
        loaded(tt, content, weights_only=False)
    with pytest.raises(pickle.UnpicklingError, match="complex64"):
        loaded(tt, saved(torch, torch.complex64))
