"""Recurrent layers against PyTorch: outputs, gradients, packed sequences, threads."""

from __future__ import annotations

import copy

import pytest

import tinytorch as tt
from paired import close, copied, paired_modules, tensors
from recurrent_cases import KINDS, compare, flat, states

torch = pytest.importorskip("torch")


# ---- layers ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"num_layers": 3},
        {"bidirectional": True},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
    ],
    ids=lambda o: "-".join(o) or "plain",
)
def test_layer_outputs_and_gradients(kind, options):
    ours, theirs = paired_modules(kind, 4, 6, dtype="float64", **options)
    x, z = tensors(3, 5, 4)
    layers = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    batch = 3 if options.get("batch_first") else 5
    h, k = states(kind, layers, batch, 6)
    pairs = [(x, z)]
    pairs += list(zip(h, k, strict=True)) if kind == "LSTM" else [(h, k)]
    compare(ours, theirs, (x, h), (z, k), pairs)
    for p in ours.parameters():
        p.grad = None
    for q in theirs.parameters():
        q.grad = None
    x, z = tensors(3, 5, 4)
    compare(ours, theirs, (x,), (z,), [(x, z)])


def test_relu_layer():
    ours, theirs = paired_modules(
        "RNN", 4, 6, nonlinearity="relu", num_layers=2, dtype="float64"
    )
    x, z = tensors(7, 2, 4)
    compare(ours, theirs, (x,), (z,), [(x, z)])
    assert tt.nn.RNN(4, 6, 2, "relu").mode == "RNN_RELU"


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_projected_lstm(options):
    ours, theirs = paired_modules("LSTM", 4, 6, proj_size=2, dtype="float64", **options)
    x, z = tensors(3, 5, 4)
    layers = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    (h, k), (c, d) = tensors(layers, 5, 2), tensors(layers, 5, 6)
    compare(ours, theirs, (x, (h, c)), (z, (k, d)), [(x, z), (h, k), (c, d)])
    compare(ours, theirs, (x,), (z,), [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=["bias", "no bias"])
def test_batch_that_is_cut_into_tasks(kind, options):
    ours, theirs = paired_modules(kind, 8, 48, dtype="float64", **options)
    x, z = tensors(3, 200, 8)
    h, k = states(kind, 1, 200, 48)
    pairs = list(zip(h, k, strict=True)) if kind == "LSTM" else [(h, k)]
    compare(ours, theirs, (x, h), (z, k), [(x, z), *pairs])


@pytest.mark.parametrize("kind", KINDS)
def test_packed_batch_that_is_cut_into_tasks(kind):
    ours, theirs = paired_modules(kind, 8, 48, dtype="float64")
    pairs = [tensors(4 - n // 50, 8) for n in range(200)]
    x = tt.nn.utils.rnn.pack_sequence([a for a, _ in pairs])
    z = torch.nn.utils.rnn.pack_sequence([b for _, b in pairs])
    compare(ours, theirs, (x,), (z,), pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched_input(kind, batch_first):
    ours, theirs = paired_modules(
        kind, 4, 6, 2, batch_first=batch_first, dtype="float64"
    )
    x, z = tensors(5, 4)
    h, k = states(kind, 2, 6)
    compare(ours, theirs, (x, h), (z, k), [(x, z)])
    compare(ours, theirs, (x,), (z,), [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("ordered", [True, False])
def test_packed_sequences(kind, bidirectional, ordered):
    ours, theirs = paired_modules(
        kind, 4, 6, 2, bidirectional=bidirectional, dtype="float64"
    )
    lengths = [5, 3, 3, 1] if ordered else [3, 1, 5, 3]
    pairs = [tensors(n, 4) for n in lengths]
    x = tt.nn.utils.rnn.pack_sequence([a for a, _ in pairs], ordered)
    z = torch.nn.utils.rnn.pack_sequence([b for _, b in pairs], ordered)
    compare(ours, theirs, (x,), (z,), pairs)
    h, k = states(kind, 2 * (1 + bidirectional), 4, 6)
    y, last = ours(x, h)
    u, final = theirs(z, k)
    for a, b in zip(flat((y, last)), flat((u, final)), strict=True):
        close(a, b)
    assert y.batch_sizes.tolist() == u.batch_sizes.tolist()


def test_packed_projection():
    ours, theirs = paired_modules(
        "LSTM", 4, 6, proj_size=3, bidirectional=True, dtype="float64"
    )
    pairs = [tensors(n, 4) for n in (4, 2)]
    x = tt.nn.utils.rnn.pack_sequence([a for a, _ in pairs])
    z = torch.nn.utils.rnn.pack_sequence([b for _, b in pairs])
    compare(ours, theirs, (x,), (z,), pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_derivative_of_the_gradient(kind):
    ours, theirs = paired_modules(kind, 3, 4, bidirectional=True, dtype="float64")
    x, z = tensors(4, 2, 3)
    found = []
    for module, a, library in ((ours, x, tt), (theirs, z, torch)):
        y, _ = module(a)
        wanted = [a, *module.parameters()]
        grads = library.autograd.grad((y**2).sum(), wanted, create_graph=True)
        penalty = sum((g * g).sum() for g in grads)
        found.append(library.autograd.grad(penalty, wanted))
    for g, h in zip(*found, strict=True):
        close(g, h, 1e-9)


def test_derivative_where_one_input_depends_on_another():
    # The initial state is a function of the input: its share must not count twice.
    ours, theirs = paired_modules("GRU", 4, 4, dtype="float64")
    x, z = tensors(3, 2, 4)
    found = []
    for module, a, library in ((ours, x, tt), (theirs, z, torch)):
        y, _ = module(a, (a[:1] ** 2).contiguous())
        (g,) = library.autograd.grad((y**3).sum(), a, create_graph=True)
        found.append(library.autograd.grad((g * g).sum(), a)[0])
    close(found[0], found[1], 1e-9)


def test_gradients_of_the_last_state_alone():
    ours, theirs = paired_modules("LSTM", 3, 4, dtype="float64")
    x, z = tensors(4, 2, 3)
    ours(x)[1][1].sum().backward()
    theirs(z)[1][1].sum().backward()
    close(x.grad, z.grad)
    close(ours.weight_hh_l0.grad, theirs.weight_hh_l0.grad)


def test_state_carried_through_time():
    ours, theirs = paired_modules("GRU", 3, 4, dtype="float64")
    h = k = None
    for _ in range(3):
        x, z = tensors(2, 2, 3)
        y, h = ours(x, h)
        u, k = theirs(z, k)
    h.sum().backward()
    k.sum().backward()
    close(ours.weight_hh_l0.grad, theirs.weight_hh_l0.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_halves(kind):
    ours, theirs = paired_modules(kind, 8, 16, 2)
    z = torch.randn(12, 4, 8)
    close(ours(copied(z))[0], theirs(z)[0], 2e-6)
    low = copy.deepcopy(ours).to(tt.bfloat16)
    y, _ = low(copied(z).to(tt.bfloat16))
    assert y.dtype == tt.bfloat16
    close(y.float(), theirs(z)[0], 3e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_draws_what_pytorch_draws(kind):
    ours, theirs = paired_modules(kind, 4, 8, 3, dropout=0.4, dtype="float64")
    x, z = tensors(6, 5, 4)
    tt.manual_seed(11)
    torch.manual_seed(11)
    compare(ours, theirs, (x,), (z,), [(x, z)])
    ours.eval()
    theirs.eval()
    close(ours(x)[0], theirs(z)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_weights(kind):
    for options in ({}, {"num_layers": 2, "bidirectional": True, "bias": False}):
        tt.manual_seed(5)
        torch.manual_seed(5)
        ours = getattr(tt.nn, kind)(7, 5, **options)
        theirs = getattr(torch.nn, kind)(7, 5, **options)
        names = [n for n, _ in theirs.named_parameters()]
        assert [n for n, _ in ours.named_parameters()] == names
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert p.tolist() == q.tolist()


def test_memory_of_modified_inputs_is_guarded():
    ours = tt.nn.RNN(3, 4)
    y, _ = ours(tt.randn(2, 2, 3))
    with tt.no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_second_backward_is_refused_and_retained_allowed():
    ours = tt.nn.LSTM(3, 4)
    total = ours(tt.randn(2, 2, 3))[0].sum()
    total.backward(retain_graph=True)
    first = ours.weight_ih_l0.grad.clone()
    total.backward()
    close(ours.weight_ih_l0.grad, 2 * first)
    with pytest.raises(RuntimeError, match="a second time"):
        total.backward()


def test_weights_of_which_some_are_frozen():
    ours, theirs = paired_modules("LSTM", 3, 4, dtype="float64")
    for module in (ours, theirs):
        module.weight_hh_l0.requires_grad_(False)
        module.bias_ih_l0.requires_grad_(False)
    x, z = tensors(4, 2, 3)
    ours(x)[0].sum().backward()
    theirs(z)[0].sum().backward()
    assert ours.weight_hh_l0.grad is None and ours.bias_ih_l0.grad is None
    close(ours.weight_ih_l0.grad, theirs.weight_ih_l0.grad)
    close(x.grad, z.grad)


# ---- with the rest of the library ----


@pytest.mark.parametrize("kind", KINDS)
def test_captured_equals_eager(kind):
    ours = getattr(tt.nn, kind)(4, 6, 2, bidirectional=True)
    weights = list(ours.parameters())

    def step(x):
        y, _ = ours(x)
        return (y, *tt.autograd.grad((y * y).sum(), weights))

    captured = tt.capture(step)
    for _ in range(3):
        x = tt.randn(5, 3, 4)
        for a, b in zip(captured(x), step(x), strict=True):
            assert a.equal(b)


@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_threads(kind):
    tt.manual_seed(0)
    ours = getattr(tt.nn, kind)(32, 48)
    x = tt.randn(6, 200, 32)
    before = tt.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            tt.set_num_threads(threads)
            y, _ = ours(x)
            found.append([y, *tt.autograd.grad(y.sum(), list(ours.parameters()))])
    finally:
        tt.set_num_threads(before)
    assert all(a.equal(b) for a, b in zip(*found, strict=True))


def test_meta_tensors_have_shapes_only():
    ours = tt.nn.LSTM(4, 6, device="meta")
    y, (h, c) = ours(tt.empty(3, 2, 4, device="meta"))
    assert (y.shape, h.shape, c.shape) == ((3, 2, 6), (1, 2, 6), (1, 2, 6))
    y.sum().backward()
    assert ours.weight_hh_l0.grad.shape == (24, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_none(kind):
    ours, theirs = (getattr(nn, kind)(4, 6, 2) for nn in (tt.nn, torch.nn))
    for a, b in zip(
        flat(ours(tt.zeros(3, 0, 4))), flat(theirs(torch.zeros(3, 0, 4))), strict=True
    ):
        assert a.shape == b.shape
    ours(tt.zeros(3, 0, 4))[0].sum().backward()
    assert not ours.weight_hh_l0.grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_by_differences(kind):
    ours = getattr(tt.nn, kind)(2, 3, dtype=tt.float64)
    x = tt.randn(3, 2, 2, dtype=tt.float64, requires_grad=True)
    h = tt.randn(1, 2, 3, dtype=tt.float64, requires_grad=True)

    def last(x, h):
        y, state = ours(x, (h, h * 2) if kind == "LSTM" else h)
        return y, state[1] if kind == "LSTM" else state

    assert tt.autograd.gradcheck(last, (x, h))
    assert tt.autograd.gradgradcheck(last, (x, h))


def test_learns_to_remember_the_first_symbol():
    tt.manual_seed(0)
    model, head = tt.nn.GRU(4, 16), tt.nn.Linear(16, 4)
    weights = [*model.parameters(), *head.parameters()]
    for step in range(120):
        symbols = tt.randint(4, (4, 16))
        x = tt.nn.functional.one_hot(symbols, 4).float()
        loss = tt.nn.functional.cross_entropy(head(model(x)[0][-1]), symbols[0])
        grads = tt.autograd.grad(loss, weights)
        with tt.no_grad():
            for p, g in zip(weights, grads, strict=True):
                p -= 0.03 * (1 - step / 120) * g.sign()
    assert loss.item() < 0.1
