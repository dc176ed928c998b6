"""Recurrent modules as objects, and cells: weights, copies, errors as in PyTorch."""

from __future__ import annotations

import copy
import pickle

import pytest

import tinytorch as tt
from paired import close, equal_errors, paired_modules, tensors
from recurrent_cases import KINDS, flat, states, zeros

torch = pytest.importorskip("torch")


# ---- the modules as objects ----


def test_names_and_shapes_of_weights():
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 1}
    ours, theirs = paired_modules("LSTM", 2, 3, **options)
    assert [(n, tuple(p.shape)) for n, p in ours.named_parameters()] == [
        (n, tuple(p.shape)) for n, p in theirs.named_parameters()
    ]
    assert [[tuple(p.shape) for p in group] for group in ours.all_weights] == [
        [tuple(p.shape) for p in group] for group in theirs.all_weights
    ]
    assert ours._all_weights == theirs._all_weights
    assert ours.flatten_parameters() is None


@pytest.mark.parametrize(
    "text",
    [
        "LSTM(2, 3, 2, False, True, .5, True, 1)",
        "RNN(2, 3, 2, 'relu', False, True)",
        "GRU(2, 3, num_layers=2, dropout=.2, bias=False)",
        "LSTM(2, 3)",
        "RNNCell(2, 3, bias=False, nonlinearity='relu')",
        "LSTMCell(2, 3)",
        "GRUCell(2, 3, False)",
    ],
)
def test_repr(text):
    assert repr(eval(f"tt.nn.{text}")) == repr(eval(f"torch.nn.{text}"))


def test_replaced_and_copied_weights_are_used():
    ours = tt.nn.GRU(3, 4)
    x = tt.randn(5, 2, 3)
    y = ours(x)[0]
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        close(twin(x)[0], y)
        with tt.no_grad():
            twin.weight_ih_l0.zero_()
        assert not twin(x)[0].equal(y)
    ours.weight_ih_l0 = tt.nn.Parameter(tt.zeros(12, 3))
    assert not ours(x)[0].equal(y)
    del ours.weight_hh_l0  # as a parametrization does
    ours.weight_hh_l0 = tt.zeros(12, 4)
    assert ours(x)[1].shape == (1, 2, 4)


def test_state_dict_of_pytorch_and_old_pickles():
    ours, theirs = paired_modules("LSTM", 3, 4, 2, bidirectional=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    state = dict(ours.__dict__)
    state["_flat_weights"] = []  # PyTorch keeps them beside the parameters
    del state["proj_size"], state["_flat_weights_names"]
    twin = tt.nn.LSTM.__new__(tt.nn.LSTM)
    twin.__setstate__(state)
    x = tt.randn(5, 2, 3)
    assert twin(x)[0].equal(ours(x)[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.LSTM(0, 3),
        lambda nn: nn.LSTM(2.0, 3),
        lambda nn: nn.LSTM(2, 3.0),
        lambda nn: nn.LSTM(2, 0),
        lambda nn: nn.LSTM(2, 3, 0),
        lambda nn: nn.LSTM(2, 3, dropout=2),
        lambda nn: nn.LSTM(2, 3, dropout=True),
        lambda nn: nn.LSTM(2, 3, proj_size=3),
        lambda nn: nn.LSTM(2, 3, proj_size=-1),
        lambda nn: nn.GRU(2, 3, proj_size=1),
        lambda nn: nn.RNN(2, 3, proj_size=1),
        lambda nn: nn.RNN(2, 3, nonlinearity="x"),
        lambda nn: nn.RNNBase("x", 2, 3),
    ],
)
def test_constructor_errors(make):
    equal_errors(lambda: make(tt.nn), lambda: make(torch.nn))


def test_dropout_with_one_layer_warns():
    with pytest.warns(UserWarning, match="got dropout=0.5 and num_layers=1"):
        tt.nn.LSTM(2, 3, dropout=0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("x", "h"),
    [
        ((2,), None),
        ((4, 5, 3), None),
        ((4, 3), None),
        ((4, 5, 2), (1, 4, 3)),
        ((4, 5, 2), (5, 3)),
        ((4, 2), (1, 1, 3)),
        ((4, 5, 2), (2, 5, 3)),
        ((4, 2), (1, 4)),
        ((0, 5, 2), None),
    ],
)
def test_errors_of_shapes(kind, x, h):
    def run(library):
        module = getattr(library.nn, kind)(2, 3)
        state = () if h is None else (zeros(kind, library, *h),)
        module(library.zeros(*x), *state)

    equal_errors(lambda: run(tt), lambda: run(torch))


def test_errors_of_dtypes():
    def words(library):
        library.nn.GRU(2, 3)(library.zeros(4, 5, 2, dtype=library.float64))

    equal_errors(lambda: words(tt), lambda: words(torch))

    def state(library):
        h = library.zeros(1, 5, 3, dtype=library.float64)
        library.nn.GRU(2, 3)(library.zeros(4, 5, 2), h)

    equal_errors(lambda: state(tt), lambda: state(torch))

    def one(library):
        library.nn.GRUCell(2, 3)(library.zeros(5, 2, dtype=library.float64))

    equal_errors(lambda: one(tt), lambda: one(torch))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("weight_hh_l0", (12, 3)),
        ("weight_hh_l0", (16, 5)),
        ("weight_hh_l0", (16,)),
        ("weight_ih_l0", (15, 3)),
        ("weight_ih_l0", (16,)),
        ("bias_ih_l0", (15,)),
        ("bias_hh_l0", (1, 16)),
    ],
)
def test_weights_of_other_shapes_are_refused(name, shape):
    ours = tt.nn.LSTM(3, 4)
    setattr(ours, name, tt.nn.Parameter(tt.zeros(*shape)))
    with pytest.raises(
        RuntimeError, match=r"expected .* of shape|cannot be multiplied"
    ):
        ours(tt.zeros(2, 2, 3))


def test_states_on_other_devices_are_refused():
    ours = tt.nn.GRU(3, 4)
    with pytest.raises(RuntimeError, match="same device"):
        ours(tt.zeros(2, 2, 3), tt.zeros(1, 2, 4, device="meta"))
    ours.weight_hh_l0 = tt.nn.Parameter(tt.zeros(12, 4, device="meta"))
    with pytest.raises(RuntimeError, match="same device"):
        ours(tt.zeros(2, 2, 3))


@pytest.mark.parametrize("sizes", [[2, 1], [1, 2], [3, 0], [2, 2], [-1, 4], []])
def test_packed_data_with_wrong_sizes_are_refused(sizes):
    ours = tt.nn.GRU(3, 4)
    packed = tt.nn.utils.rnn.PackedSequence(
        tt.zeros(4, 3), tt.tensor(sizes, dtype=tt.int64)
    )
    if sizes == [2, 2]:
        assert ours(packed)[0].data.shape == (4, 4)
        return
    with pytest.raises(RuntimeError, match="batch_sizes"):
        ours(packed)


# ---- cells ----


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("shape", [(5, 4), (4,)])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind, shape, bias):
    ours, theirs = paired_modules(kind, 4, 6, bias=bias, dtype="float64")
    x, z = tensors(*shape)
    h, k = states(kind.removesuffix("Cell"), *shape[:-1], 6)
    y, u = ours(x, h), theirs(z, k)
    for module, result in ((ours, y), (theirs, u)):
        parts = result if isinstance(result, tuple) else (result,)
        sum((part**2).sum() for part in parts).backward()
        assert all(p.grad is not None for p in module.parameters())
    for a, b in zip(flat((y,)), flat((u,)), strict=True):
        assert a.shape == b.shape
        close(a, b)
    close(x.grad, z.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)
    for a, b in zip(flat((ours(x),)), flat((theirs(z),)), strict=True):
        close(a, b)


def test_relu_cell():
    ours, theirs = paired_modules("RNNCell", 4, 6, nonlinearity="relu", dtype="float64")
    x, z = tensors(5, 4)
    close(ours(x), theirs(z))


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize(
    ("x", "h"),
    [
        ((2, 2, 2), None),
        ((4, 3), None),
        ((4, 2), (3, 3)),
        ((4, 2), (4, 2)),
        ((4, 2), (1, 2, 3)),
        ((2,), (4,)),
        ((4, 2), (3,)),
    ],
)
def test_errors_of_cells(kind, x, h):
    def run(library):
        module = getattr(library.nn, kind)(2, 3)
        state = () if h is None else (zeros(kind.removesuffix("Cell"), library, *h),)
        module(library.zeros(*x), *state)

    equal_errors(lambda: run(tt), lambda: run(torch))


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_same_seed_same_weights(kind):
    tt.manual_seed(5)
    torch.manual_seed(5)
    ours, theirs = getattr(tt.nn, kind)(7, 5), getattr(torch.nn, kind)(7, 5)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.tolist() == q.tolist()
