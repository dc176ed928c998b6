"""Random transforms draw what torchvision's do: its calls, made with PyTorch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.vision import transforms as T
from tinytorch.vision.transforms import functional as F

torch = pytest.importorskip("torch")


def picture(channels: int = 3, height: int = 12, width: int = 10) -> tt.Tensor:
    """Return an image (C, H, W) of bytes, smooth enough to be resampled."""
    ys, xs = np.mgrid[:height, :width]
    planes = [100 + 60 * np.sin(xs / 3 + c) + 50 * np.cos(ys / 4 - c) for c in range(3)]
    return tt.from_numpy(np.stack(planes[:channels]).astype("u1"))


def drawn(call: Callable[[], Any], reference: Callable[[], Any]) -> None:
    """Compare what is drawn and what is left of the random stream."""
    for seed in range(20):
        tt.manual_seed(seed)
        torch.manual_seed(seed)
        ours, theirs = call(), reference()
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert tt.rand(1).item() == torch.rand(1).item()


def uniform(low: float, high: float) -> float:
    return float(torch.empty(1).uniform_(low, high).item())


def below(n: int) -> int:
    return int(torch.randint(0, n, (1,)).item())


def test_random_places_are_torchvisions() -> None:
    x = picture(3, 20, 16)
    drawn(
        lambda: T.RandomCrop.get_params(x, (7, 9)),
        lambda: (below(20 - 7 + 1), below(16 - 9 + 1), 7, 9),
    )
    drawn(lambda: T.RandomCrop.get_params(x, (20, 16)), lambda: (0, 0, 20, 16))
    drawn(lambda: T.RandomRotation.get_params([-9.0, 9.0]), lambda: uniform(-9, 9))

    def affine() -> Any:
        angle = uniform(-10, 10)
        tx, ty = round(uniform(-1.6, 1.6)), round(uniform(-4, 4))
        return [angle, tx, ty, uniform(0.8, 1.2), uniform(-3, 3)]

    def ours() -> Any:
        angle, move, scale, shear = T.RandomAffine.get_params(
            [-10, 10], (0.1, 0.2), (0.8, 1.2), [-3, 3], [16, 20]
        )
        return [angle, *move, scale, shear[0]]

    drawn(ours, affine)

    def resized() -> Any:
        low, high = torch.log(torch.tensor((3 / 4, 4 / 3))).tolist()
        for _ in range(10):
            area = 320 * uniform(0.08, 1.0)
            ratio = math.exp(uniform(low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= 16 and 0 < h <= 20:
                return below(20 - h + 1), below(16 - w + 1), h, w
        raise AssertionError("never with these bounds")

    drawn(
        lambda: T.RandomResizedCrop.get_params(x, (0.08, 1.0), (3 / 4, 4 / 3)),
        resized,
    )


def test_random_changes_are_torchvisions() -> None:
    x = picture()
    for make, changed in (
        (T.RandomHorizontalFlip, F.hflip),
        (T.RandomVerticalFlip, F.vflip),
        (T.RandomInvert, F.invert),
    ):
        drawn(
            lambda make=make: make(0.3)(x).tolist() == x.tolist(),  # type: ignore[misc]
            lambda changed=changed: not torch.rand(1) < 0.3,  # type: ignore[misc]
        )
        assert tt.equal(make(1.0)(x), changed(x))
    jitter = T.ColorJitter(0.4, 0.3, (0.5, 2.0), 0.1)

    def reference() -> Any:
        order = torch.randperm(4).tolist()
        bounds = ((0.6, 1.4), (0.7, 1.3), (0.5, 2.0), (-0.1, 0.1))
        return [*order, *(uniform(low, high) for low, high in bounds)]

    def ours() -> Any:
        order, *factors = T.ColorJitter.get_params(
            jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
        )
        return [*order.tolist(), *factors]

    drawn(ours, reference)
    assert jitter(x).shape == x.shape
    assert T.ColorJitter().brightness is None


def test_random_erasing() -> None:
    x = tt.rand(3, 16, 16)
    tt.manual_seed(0)
    y = T.RandomErasing(1.0, value=(0.1, 0.2, 0.3))(x)
    changed = (x != y).all(0)
    rows, columns = changed.any(1).sum().item(), changed.any(0).sum().item()
    assert changed.sum() == rows * columns > 0
    assert (y[1][changed] == 0.2).all()
    assert 0.01 < rows * columns / 256 < 0.4
    noise = T.RandomErasing(1.0, value="random")(x)
    assert noise.shape == x.shape
    z = x.clone()
    T.RandomErasing(1.0, inplace=True)(z)
    assert not tt.equal(z, x)
    with pytest.raises(ValueError, match="should be 'random'"):
        T.RandomErasing(value="noise")


def test_random_combinations() -> None:
    add = [T.Lambda(lambda x, k=k: x + k) for k in (1, 10)]
    drawn(
        lambda: T.RandomApply(add, 0.4)(0),
        lambda: 0 if torch.rand(1).item() > 0.4 else 11,
    )
    random.seed(0)
    order = T.RandomOrder([T.Lambda(lambda x: x + 1), T.Lambda(lambda x: x * 2)])
    assert {order(3) for _ in range(20)} == {7, 8}
    choice = T.RandomChoice(add, p=[0.0, 1.0])
    assert choice(5) == 15
    assert T.RandomGrayscale(1.0)(picture()).shape == (3, 12, 10)
    modules = tt.nn.Sequential(T.Resize(8), T.CenterCrop(6))
    assert modules(picture()).shape == (3, 6, 6)
