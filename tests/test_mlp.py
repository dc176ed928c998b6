"""Networks in one line, against the same networks of PyTorch's parts."""

from __future__ import annotations

import copy
import pickle

import pytest

import tinytorch as tt
from paired import close, copied
from tinytorch.nn import MLP, Activation, Layer, Neuron

torch = pytest.importorskip("torch")

FUNCTIONS = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}


def reference(n_input, pairs, seed):
    """The same network of PyTorch's Linear, drawn from the same seed."""
    torch.manual_seed(seed)
    layers = []
    for size, name in pairs:
        layers.append((torch.nn.Linear(n_input, size), FUNCTIONS[name]))
        n_input = size

    def run(x):
        for linear, function in layers:
            x = function(linear(x))
        return x

    return layers, run


@pytest.mark.parametrize(
    ("make", "pairs"),
    [
        (
            lambda: MLP(3, layers=[(8, Activation.RELU), (2, Activation.SIGMOID)]),
            [(8, "relu"), (2, "sigmoid")],
        ),
        (
            lambda: MLP(3, [8, 5], 2, Activation.TANH, Activation.LINEAR),
            [(8, "tanh"), (5, "tanh"), (2, "linear")],
        ),
        (lambda: MLP(3, [8], 1, "relu", "sigmoid"), [(8, "relu"), (1, "sigmoid")]),
        (
            lambda: MLP(3, [(4, "tanh"), 8], 2),
            [(4, "tanh"), (8, "relu"), (2, "linear")],
        ),
        (lambda: MLP(3, [], 2), [(2, "linear")]),
    ],
)
def test_spellings_equal_pytorchs_parts(make, pairs):
    tt.manual_seed(9)
    ours = make()
    layers, run = reference(3, pairs, 9)
    assert len(ours) == len(ours.layers) == len(pairs)
    weights = [p for linear, _ in layers for p in linear.parameters()]
    for p, q in zip(ours.parameters(), weights, strict=True):
        assert p.tolist() == q.tolist()
    x = torch.randn(6, 3)
    y, z = ours(copied(x)), run(x)
    close(y, z, 1e-6)
    y.sum().backward()
    z.sum().backward()
    for p, q in zip(ours.parameters(), weights, strict=True):
        close(p.grad, q.grad, 1e-5)
    ours.flush_grads()
    assert all(p.grad is None for p in ours.parameters())


def test_layer_and_neuron():
    tt.manual_seed(1)
    layer = Layer(4, 3, Activation.SIGMOID)
    tt.manual_seed(1)
    plain = tt.nn.Linear(4, 3)
    x = tt.randn(5, 4)
    assert layer(x).equal(tt.sigmoid(plain(x)))
    neuron = Neuron(4, Activation.RELU, dtype=tt.float64)
    y = neuron(x.double())
    assert y.shape == (5,) and neuron(x[0].double()).shape == ()
    expected = tt.relu(x.double() @ neuron.weight[0] + neuron.bias[0])
    close(y, expected)
    assert len(list(Neuron(4, bias=False).parameters())) == 1
    assert repr(layer) == (
        "Layer(in_features=4, out_features=3, bias=True, activation=sigmoid)"
    )


def test_activations_are_names_functions_or_none():
    assert [a.value for a in Activation] == ["relu", "sigmoid", "tanh", "linear"]
    x = tt.randn(5, 4)
    layer = Layer(4, 3, tt.sin)
    assert layer(x).equal(tt.sin(tt.nn.functional.linear(x, layer.weight, layer.bias)))
    assert Layer(4, 3, None)(x).shape == (5, 3)
    with pytest.raises(ValueError, match="expected one of linear, celu"):
        Layer(4, 3, "absent")
    with pytest.raises(ValueError, match="at least one layer"):
        MLP(4)


def test_networks_are_modules():
    ours = MLP(3, [8], 2, dtype=tt.float64)
    names = ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert list(ours.state_dict()) == names
    x = tt.randn(4, 3, dtype=tt.float64)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(twin) is MLP and twin(x).equal(ours(x))
    other = MLP(3, [8], 2, dtype=tt.float64)
    other.load_state_dict(ours.state_dict())
    assert other(x).equal(ours(x))
    assert ours[:1](x).equal(ours[0](x))
    assert isinstance(ours[-1], Layer)


def test_learns_the_moons():
    tt.manual_seed(0)
    t = tt.rand(100) * tt.pi
    upper = tt.stack([t.cos(), t.sin()], 1)
    lower = tt.stack([1 - t.cos(), 0.5 - t.sin()], 1)
    x = tt.cat([upper, lower])
    labels = tt.cat([tt.zeros(100, 1), tt.ones(100, 1)])
    model = MLP(2, layers=[(16, Activation.TANH), (1, Activation.SIGMOID)])
    for _ in range(600):
        model.flush_grads()
        loss = tt.nn.functional.binary_cross_entropy(model(x), labels)
        loss.backward()
        with tt.no_grad():
            for p in model.parameters():
                p -= 2.0 * p.grad
    assert ((model(x) > 0.5).float() == labels).float().mean() > 0.98
