"""Averages of weights beside PyTorch's."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import tinytorch as tt
from tinytorch.optim import swa_utils

LIBRARIES = ((tt, swa_utils), (torch, torch.optim.swa_utils))

AVERAGES: dict[str, Any] = {
    "default": lambda s: {},
    "swa": lambda s: {"avg_fn": s.get_swa_avg_fn()},
    "swa-multi": lambda s: {"multi_avg_fn": s.get_swa_multi_avg_fn()},
    "ema": lambda s: {"avg_fn": s.get_ema_avg_fn(0.8)},
    "ema-multi": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.8)},
    "ema-buffers": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.8),
                              "use_buffers": True},
    "swa-buffers": lambda s: {"use_buffers": True},
    "own": lambda s: {"avg_fn": lambda mean, x, n: mean + 0.5 * (x - mean) / (n + 1)},
}


def network(m: Any) -> Any:
    m.manual_seed(5)
    return m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4), m.nn.Linear(4, 2))


def batches(m: Any) -> list[Any]:
    rng = np.random.default_rng(1)
    return [m.tensor(rng.standard_normal((6, 3)).tolist()) for _ in range(5)]


def numbers(module: Any) -> dict[str, Any]:
    return {name: x.detach().numpy() for name, x in module.state_dict().items()}


def assert_alike(a: Any, b: Any) -> None:
    a, b = numbers(a), numbers(b)
    assert list(a) == list(b)
    for name, x in a.items():
        assert x.dtype == b[name].dtype and x.shape == b[name].shape, name
        np.testing.assert_allclose(x, b[name], rtol=2e-6, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("name", AVERAGES)
def test_averaged_model_equals_pytorch_s(name: str) -> None:
    averaged = []
    for m, utils in LIBRARIES:
        model = network(m)
        mean = utils.AveragedModel(model, **AVERAGES[name](utils))
        optimizer = m.optim.SGD(model.parameters(), lr=0.1)
        for x in batches(m):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
            mean.update_parameters(model)
        assert mean.n_averaged.item() == 5
        assert not any(p is q for p, q in zip(mean.parameters(), model.parameters(),
                                              strict=True))
        again = utils.AveragedModel(network(m), **AVERAGES[name](utils))
        again.load_state_dict(mean.state_dict())
        assert again.n_averaged.item() == 5
        assert_alike(again, mean)
        mean.eval()
        assert np.allclose(mean(batches(m)[0]).detach().numpy(),
                           mean.module(batches(m)[0]).detach().numpy())
        averaged.append(mean)
    assert_alike(*averaged)
    assert repr(averaged[0]) == repr(averaged[1])


@pytest.mark.parametrize("pairs", [False, True])
def test_update_bn(pairs: bool) -> None:
    models = []
    for m, utils in LIBRARIES:
        model = network(m).eval()
        loader = [(x, 0) for x in batches(m)] if pairs else batches(m)
        utils.update_bn(loader, model)
        assert not model.training and model[1].momentum == 0.1
        models.append(model)
    assert_alike(*models)
    assert models[0][1].num_batches_tracked.item() == 5


def test_update_bn_without_batch_norm_reads_nothing() -> None:
    swa_utils.update_bn(iter(()), tt.nn.Linear(1, 1))


def test_errors_are_pytorch_s() -> None:
    seen = []
    for m, utils in LIBRARIES:
        texts = []
        for call in (
            lambda m=m, u=utils: u.AveragedModel(network(m), avg_fn=1, multi_avg_fn=2),
            lambda u=utils: u.get_ema_avg_fn(2),
            lambda u=utils: u.get_ema_multi_avg_fn(-0.1),
        ):
            with pytest.raises((AssertionError, ValueError)) as caught:
                call()
            texts.append((caught.type, str(caught.value)))
        seen.append(texts)
    assert seen[0] == seen[1]


def test_a_training_with_swa() -> None:
    """The usual program: a schedule, then SWALR and averages, then batch norms."""
    ends = []
    for m, utils in LIBRARIES:
        model = network(m)
        mean = utils.AveragedModel(model)
        optimizer = m.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedule = m.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        swa = utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=3)
        rates = []
        for epoch in range(8):
            for x in batches(m):
                optimizer.zero_grad()
                (model(x) - 0.3).square().mean().backward()
                optimizer.step()
            if epoch > 3:
                mean.update_parameters(model)
                swa.step()
            else:
                schedule.step()
            rates.append(optimizer.param_groups[0]["lr"])
        utils.update_bn(batches(m), mean)
        ends.append((mean, rates))
    assert ends[0][1] == ends[1][1]
    for name, x in numbers(ends[0][0]).items():
        want = numbers(ends[1][0])[name]
        np.testing.assert_allclose(x, want, rtol=2e-4, atol=2e-4, err_msg=name)


def test_averaged_model_is_copied() -> None:
    model = network(tt)
    mean = swa_utils.AveragedModel(model)
    mean.update_parameters(model)
    assert_alike(copy.deepcopy(mean), mean)
