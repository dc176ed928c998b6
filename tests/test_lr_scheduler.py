"""Learning-rate schedules: PyTorch's numbers, bit for bit, and its texts."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import warnings
import weakref
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import tinytorch as tt
from lr_schedules import (
    LIBRARIES,
    NESTED,
    PARTED,
    RESUMED,
    SCHEDULES,
    SWA,
    advance,
    numbers,
    optimizer,
)

STEPS = 120


def plain(value: Any) -> Any:
    """Return a state dict with callables and classes of either library as values."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@pytest.mark.filterwarnings(NESTED)
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_equal_pytorch(name: str) -> None:
    ours, theirs = (
        [numbers(o, s)] + advance(o, s, STEPS)
        for m in LIBRARIES
        for o in [optimizer(m)]
        for s in [SCHEDULES[name](m.optim.lr_scheduler, o)]
    )
    assert ours == theirs


@pytest.mark.filterwarnings(NESTED)
@pytest.mark.parametrize("name", SCHEDULES)
def test_state_dict_has_pytorch_s_keys_and_values(name: str) -> None:
    states = []
    for m in LIBRARIES:
        o = optimizer(m)
        s = SCHEDULES[name](m.optim.lr_scheduler, o)
        advance(o, s, 13)
        states.append(plain(s.state_dict()))
    assert states[0] == states[1]


@pytest.mark.filterwarnings(NESTED)
@pytest.mark.parametrize("name", SCHEDULES)
def test_state_dict_of_pytorch_resumes(name: str) -> None:
    """13 steps in PyTorch, the rest in both."""
    theirs = optimizer(torch)
    schedule = SCHEDULES[name](torch.optim.lr_scheduler, theirs)
    advance(theirs, schedule, 13)
    ours = optimizer(tt)
    resumed = SCHEDULES[name](tt.optim.lr_scheduler, ours)
    state, groups = theirs.state_dict()["state"], theirs.state_dict()["param_groups"]
    assert not any(state.values()) or all(
        v["momentum_buffer"] is None for v in state.values()
    )
    ours.load_state_dict({"state": {}, "param_groups": copy.deepcopy(groups)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed.load_state_dict(copy.deepcopy(schedule.state_dict()))
    assert advance(ours, resumed, 100) == advance(theirs, schedule, 100)


@pytest.mark.parametrize("name", RESUMED)
def test_resumed_with_last_epoch(name: str) -> None:
    seen = []
    for m in LIBRARIES:
        o = optimizer(m)
        s = SCHEDULES[name](m.optim.lr_scheduler, o)
        advance(o, s, 11)
        again = remade(m.optim.lr_scheduler, o, s, 10)
        seen.append([numbers(o, again)] + advance(o, again, 60))
    assert seen[0] == seen[1]


def remade(L: Any, o: Any, schedule: Any, last_epoch: int) -> Any:
    """Return a new schedule of the same kind that goes on after an epoch."""
    kind = type(schedule).__name__
    arguments = {
        "LambdaLR": lambda s: (s.lr_lambdas,),
        "MultiplicativeLR": lambda s: (s.lr_lambdas,),
        "StepLR": lambda s: (s.step_size, s.gamma),
        "MultiStepLR": lambda s: (list(s.milestones.elements()), s.gamma),
        "ConstantLR": lambda s: (s.factor, s.total_iters),
        "LinearLR": lambda s: (s.start_factor, s.end_factor, s.total_iters),
        "ExponentialLR": lambda s: (s.gamma,),
        "PolynomialLR": lambda s: (s.total_iters, s.power),
        "CosineAnnealingLR": lambda s: (s.T_max, s.eta_min),
        "CosineAnnealingWarmRestarts": lambda s: (s.T_0, s.T_mult, s.eta_min),
    }[kind]
    return getattr(L, kind)(o, *arguments(schedule), last_epoch=last_epoch)


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name", [n for n in SCHEDULES if n not in PARTED])
def test_epoch_given(name: str) -> None:
    seen = []
    for m in LIBRARIES:
        o = optimizer(m)
        s = SCHEDULES[name](m.optim.lr_scheduler, o)
        o.step()
        rows = []
        for epoch in (3, 17, 0, 50, 51, 90):
            s.step(epoch)
            rows.append(numbers(o, s))
        seen.append(rows)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["exponential", "cosine", "step", "linear", "cyclic"])
def test_tensor_rates_are_written_in_place(name: str) -> None:
    seen = []
    for m in LIBRARIES:
        lr = m.tensor(0.1, dtype=m.float64)
        o = m.optim.SGD([m.ones(2, requires_grad=True)], lr=lr, momentum=0.9)
        s = SCHEDULES[name](m.optim.lr_scheduler, o)
        assert o.param_groups[0]["lr"] is lr
        rows = []
        for _ in range(40):
            o.step()
            s.step()
            rows.append([float(lr), float(s.get_last_lr()[0])])
        assert o.param_groups[0]["lr"] is lr
        seen.append(rows)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("kind", ["cyclic", "cyclic-own", "one-cycle",
                                  "one-cycle-three"])
def test_first_beta_cycles_with_adam(kind: str) -> None:
    ours, theirs = (
        advance(o, SCHEDULES[kind](m.optim.lr_scheduler, o), STEPS)
        for m in LIBRARIES
        for o in [optimizer(m, "Adam")]
    )
    assert ours == theirs


def test_several_schedules_share_an_optimizer() -> None:
    seen = []
    for m in LIBRARIES:
        o, L = optimizer(m), m.optim.lr_scheduler
        parts = [L.ExponentialLR(o, 0.9), L.StepLR(o, 5, 0.5), L.LinearLR(o)]
        rows = []
        for _ in range(50):
            o.step()
            for part in parts:
                part.step()
            rows.append([numbers(o, part) for part in parts])
        seen.append(rows)
    assert seen[0] == seen[1]


def test_fractions_of_epochs_restart() -> None:
    seen = []
    for m in LIBRARIES:
        o = optimizer(m)
        s = m.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2)
        rows = []
        for i in range(150):
            s.step(i / 7)
            rows.append(numbers(o, s))
        seen.append(rows)
    assert seen[0] == seen[1]


# ---- ReduceLROnPlateau ----

METRICS = [[1 / (i + 1) for i in range(10)] + [0.1] * 100,
           [math.sin(i / 5) for i in range(110)],
           [1.0, math.nan, 0.5] + [0.49999] * 60 + [math.inf] * 20]


@pytest.mark.parametrize("options", [
    {}, {"patience": 3, "factor": 0.5}, {"mode": "max", "patience": 2},
    {"threshold_mode": "abs", "threshold": 0.01, "patience": 1, "cooldown": 3},
    {"mode": "max", "threshold_mode": "abs", "min_lr": [0.01, 0.02], "patience": 0},
    {"eps": 0.02, "patience": 0},
], ids=str)
@pytest.mark.parametrize("series", range(len(METRICS)))
def test_plateau(options: dict[str, Any], series: int) -> None:
    seen = []
    for m in LIBRARIES:
        o = optimizer(m)
        s = m.optim.lr_scheduler.ReduceLROnPlateau(o, **options)
        rows = []
        for metric in METRICS[series]:
            s.step(m.tensor(metric))
            rows.append((repr(s.state_dict()), numbers(o, s)))
        seen.append(rows)
    assert seen[0] == seen[1]


def test_plateau_meets_a_new_group() -> None:
    for min_lr in (0.01, [0.01, 0.01]):
        texts = []
        for m in LIBRARIES:
            o = optimizer(m)
            s = m.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, min_lr=min_lr)
            o.add_param_group({"params": m.ones(1, requires_grad=True)})
            try:
                for _ in range(5):
                    s.step(1.0)
                texts.append(str(numbers(o, s)))
            except RuntimeError as error:
                texts.append(str(error))
        assert texts[0] == texts[1]


# ---- callable objects, copies, warnings, errors ----


class Falling:
    """A factor with a state of its own."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, epoch: float) -> float:
        return self.rate**epoch


@pytest.mark.parametrize("kind", ["LambdaLR", "MultiplicativeLR", "CyclicLR"])
def test_callable_objects_are_saved(kind: str) -> None:
    def build(m: Any, rate: float) -> Any:
        o = optimizer(m)
        L = m.optim.lr_scheduler
        if kind == "CyclicLR":
            return o, L.CyclicLR(o, 0.1, 0.2, 7, scale_fn=Falling(rate))
        return o, getattr(L, kind)(o, [Falling(rate), lambda e: 0.5])

    seen = []
    for m in LIBRARIES:
        o, s = build(m, 0.9)
        advance(o, s, 3)
        saved = copy.deepcopy(s.state_dict())
        o2, resumed = build(m, 0.1)
        resumed.load_state_dict(saved)
        seen.append(advance(o2, resumed, 20))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["step", "cosine", "cyclic", "sequential", "chained",
                                  "one-cycle-three"])
def test_copies_and_pickles_go_on(name: str) -> None:
    o = optimizer(tt)
    s = SCHEDULES[name](tt.optim.lr_scheduler, o)
    advance(o, s, 22)  # beyond the milestone: parts that begin warn of a fresh copy
    copied = copy.deepcopy(s)
    pickled = pickle.loads(pickle.dumps(s))
    wanted = advance(o, s, 20)
    assert copied.optimizer is not o
    assert advance(copied.optimizer, copied, 20) == wanted
    assert advance(pickled.optimizer, pickled, 20) == wanted


# Every name: m.optim, its lr_scheduler (L), an optimizer without and with momentum.
CALLS = """
L.StepLR(1, 2)
L.StepLR(o, 2, last_epoch=3)
L.StepLR(o, 2, verbose=True)
L.StepLR(o, 0).step()
L.LRScheduler(o)
L.LambdaLR(o, [1, 2])
L.MultiplicativeLR(o, [1, 2])
L.LambdaLR(o, 5)
L.ConstantLR(o, 2)
L.LinearLR(o, 0)
L.LinearLR(o, .5, 2)
L.CosineAnnealingLR(o, 0).step()
L.CosineAnnealingWarmRestarts(o, 0)
L.CosineAnnealingWarmRestarts(o, 1.5)
L.CosineAnnealingWarmRestarts(o, 1, 0)
L.CosineAnnealingWarmRestarts(o, 1, 1, "x")
L.CosineAnnealingWarmRestarts(o, 5).step(-1)
L.CyclicLR(o, .1, .2, mode="x", cycle_momentum=False)
L.CyclicLR(o, [.1, .1], .2, cycle_momentum=False)
L.CyclicLR(o, .1, [.2, .2])
L.CyclicLR(o, .1, .2, base_momentum=[.1, .2])
L.CyclicLR(adagrad, .1, .2)
L.OneCycleLR(o, .1)
L.OneCycleLR(o, .1, total_steps=0)
L.OneCycleLR(o, .1, total_steps=1.5)
L.OneCycleLR(o, .1, epochs=1)
L.OneCycleLR(o, .1, epochs=1.5, steps_per_epoch=3)
L.OneCycleLR(o, .1, epochs=1, steps_per_epoch=0)
L.OneCycleLR(o, .1, epochs=1, steps_per_epoch=10, pct_start=2)
L.OneCycleLR(o, .1, epochs=1, steps_per_epoch=10, anneal_strategy="x")
L.OneCycleLR(o, [.1, .2], epochs=1, steps_per_epoch=10)
L.OneCycleLR(adagrad, .1, total_steps=5)
[s.step() for s in [L.OneCycleLR(o, .1, total_steps=2)] for i in range(4)]
L.ReduceLROnPlateau(o, factor=2)
L.ReduceLROnPlateau(o, mode="x")
L.ReduceLROnPlateau(o, threshold_mode="x")
L.ReduceLROnPlateau(o, min_lr=[1, 2])
L.ReduceLROnPlateau(1)
L.ReduceLROnPlateau(o).step()
L.ReduceLROnPlateau(o).step(1.0, 3)
L.ReduceLROnPlateau(o).get_lr()
L.SequentialLR(o, [], [])
L.SequentialLR(o, [L.ExponentialLR(o, .9)], [1])
L.SequentialLR(o, [L.ExponentialLR(o, .9), L.ExponentialLR(other, .9)], [1])
L.SequentialLR(o, [L.ReduceLROnPlateau(o), L.ExponentialLR(o, .9)], [1])
L.SequentialLR(o, [object(), L.ExponentialLR(o, .9)], [1])
L.ChainedScheduler([])
L.ChainedScheduler(None)
L.ChainedScheduler([L.ExponentialLR(o, .9), 1])
L.ChainedScheduler([L.ExponentialLR(o, .9), L.ExponentialLR(other, .9)])
L.ChainedScheduler([L.ExponentialLR(o, .9)], other)
L.ChainedScheduler([L.ReduceLROnPlateau(o), L.ExponentialLR(o, .9)])
L.ExponentialLR(o, .9).step()
L.ExponentialLR(o, .9).step(3)
L.ExponentialLR(o, .9).get_lr()
L.CosineAnnealingLR(o, 5).get_lr()
L.CyclicLR(o, .1, .2).get_lr()
(L.ExponentialLR(o, .9), setattr(o, "step", lambda: 0), L.StepLR(o, 3).step())
[(setattr(o, "step", lambda: 0), s.step()) for s in [L.ExponentialLR(o, .9)]]
swa.SWALR(o, .1, anneal_strategy="x")
swa.SWALR(o, .1, anneal_epochs=-1)
swa.SWALR(o, [.1, .2])
""".strip().splitlines()


@pytest.mark.parametrize("call", CALLS)
def test_errors_and_warnings_are_pytorch_s(call: str) -> None:
    outcomes = []
    for m in LIBRARIES:
        def one(name: str, m: Any = m, **options: Any) -> Any:
            return getattr(m.optim, name)([m.ones(1, requires_grad=True)], **options)

        names = {"L": m.optim.lr_scheduler, "swa": SWA[m.optim.lr_scheduler],
                 "o": one("SGD", momentum=0.5), "other": one("SGD"),
                 "adagrad": one("Adagrad")}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                eval(call, names)
                error = None
            except Exception as e:
                error = (type(e), str(e))
        outcomes.append((error, [(w.category, str(w.message)) for w in caught]))
    assert outcomes[0] == outcomes[1]


def test_right_order_does_not_warn() -> None:
    o = optimizer(tt)
    s = tt.optim.lr_scheduler.ExponentialLR(o, 0.9)
    o.step()
    s.step()
    s.step()


def test_schedules_make_no_cycle() -> None:
    """An optimizer goes, with all its parameters, as soon as nobody has it."""
    gc.disable()
    try:
        o = optimizer(tt)
        s = tt.optim.lr_scheduler.SequentialLR(
            o, [tt.optim.lr_scheduler.LinearLR(o), tt.optim.lr_scheduler.StepLR(o, 3)],
            [4]
        )
        advance(o, s, 10)
        seen = weakref.ref(o)
        del o, s
        assert seen() is None
    finally:
        gc.enable()
