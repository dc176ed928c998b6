"""The argument ``activation=`` of linear and convolution layers, which is ours."""

from __future__ import annotations

import copy
import pickle

import pytest

import tinytorch as tt


def test_activation_by_name_and_function() -> None:
    x = tt.randn(4, 3)
    for given, word in (("relu", "relu"), ("TANH", "tanh"), (tt.sin, "sin")):
        layer = tt.nn.Linear(3, 2, activation=given)
        plain = tt.nn.Linear(3, 2)
        plain.load_state_dict(layer.state_dict())
        function = getattr(tt, word)
        assert tt.equal(layer(x), function(plain(x)))
        assert repr(layer) == repr(plain)[:-1] + f", activation={word})"
        assert tt.equal(copy.deepcopy(layer)(x), layer(x))
        assert tt.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))
    assert repr(tt.nn.Linear(3, 2, activation="linear")) == repr(tt.nn.Linear(3, 2))


def test_activation_that_is_a_module() -> None:
    layer = tt.nn.Conv2d(2, 3, 3, activation=tt.nn.PReLU(3))
    assert list(layer.state_dict()) == ["weight", "bias", "activation.weight"]
    twin = copy.deepcopy(layer)
    twin.activation.weight.data.fill_(2.0)
    x = tt.randn(1, 2, 5, 5)
    assert not tt.equal(layer(x), twin(x))
    assert "(activation): PReLU(num_parameters=3)" in repr(layer)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "LazyConv"])
def test_activation_of_convolutions(kind: str, n: int) -> None:
    channels = (3,) if kind == "LazyConv" else (2, 3)
    layer = getattr(tt.nn, f"{kind}{n}d")(*channels, 1, activation="sigmoid")
    y = layer(tt.randn(1, 2, *[4] * n))
    assert bool(((y > 0) & (y < 1)).all())


def test_activation_errors() -> None:
    with pytest.raises(ValueError, match="expected one of linear, celu"):
        tt.nn.Linear(2, 3, activation="rely")
    with pytest.raises(TypeError, match="a name or a callable, got int"):
        tt.nn.Linear(2, 3, activation=3)


def test_subclass_keeps_its_own_activation() -> None:
    class Layer(tt.nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            self.activation = tt.nn.ReLU()

        def forward(self, input: tt.Tensor) -> tt.Tensor:
            return -self.activation(super().forward(input))

    layer = Layer()
    x = tt.randn(3, 2)
    y = tt.nn.functional.linear(x, layer.weight, layer.bias)
    assert tt.equal(layer(x), -tt.relu(y))
