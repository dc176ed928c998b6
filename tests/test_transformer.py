"""Attention and transformers against PyTorch: outputs, gradients, weights, errors."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest

import tinytorch as tt
from paired import close, copied, equal_errors, paired_modules, tensors

torch = pytest.importorskip("torch")

WIDTH, HEADS, L, S, N = 8, 2, 4, 6, 3


def both(kind, *args, **kwargs):
    """Paired float64 modules; PyTorch warns that it will not take a fast path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return paired_modules(kind, *args, dtype="float64", **kwargs)


def gradients_agree(ours, theirs, y, z, inputs=()):
    """Send the same gradient into both results."""
    g = torch.randn_like(z)
    (y * copied(g)).sum().backward()
    (z * g).sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            close(p.grad, q.grad)
    for a, b in inputs:
        close(a.grad, b.grad)


# ---- attention ----

OPTIONS = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"kdim": 5, "vdim": 7},
    {"batch_first": True},
    {"kdim": 5, "add_bias_kv": True, "add_zero_attn": True, "batch_first": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("need_weights", [True, False])
def test_attention(options, need_weights):
    ours, theirs = both("MultiheadAttention", WIDTH, HEADS, **options)
    shapes = [
        (L, N, WIDTH),
        (S, N, options.get("kdim", WIDTH)),
        (S, N, options.get("vdim", WIDTH)),
    ]
    if options.get("batch_first"):
        shapes = [(b, a, c) for a, b, c in shapes]
    pairs = [tensors(*shape) for shape in shapes]
    y, p = ours(*(a for a, _ in pairs), need_weights=need_weights)
    z, q = theirs(*(b for _, b in pairs), need_weights=need_weights)
    close(y, z)
    assert (p is None) == (not need_weights)
    if need_weights:
        close(p, q)
    gradients_agree(ours, theirs, y, z, pairs)


@pytest.mark.parametrize("which", ["self", "memory"])
def test_attention_to_itself(which):
    ours, theirs = both("MultiheadAttention", WIDTH, HEADS, batch_first=True)
    (x, u), (m, v) = tensors(N, S, WIDTH), tensors(N, L, WIDTH)
    (a, b) = (x, u) if which == "self" else (m, v)
    y, z = ours(x, a, a)[0], theirs(u, b, b)[0]
    close(y, z)
    gradients_agree(ours, theirs, y, z, [(x, u)])


def random_masks(kind, shape):
    """A mask of a kind, true in about a third; never all of a row."""
    mask = torch.rand(shape) < 0.35
    mask[..., 0] = False
    if kind == "float":
        mask = torch.zeros(shape, dtype=torch.float64).masked_fill(mask, -torch.inf)
        mask = mask + 0.1
    return copied(mask), mask


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("masks", ["attn", "heads", "padding", "both"])
def test_attention_masks(need_weights, kind, masks):
    ours, theirs = both("MultiheadAttention", WIDTH, HEADS)
    (q, r), (k, s) = tensors(L, N, WIDTH), tensors(S, N, WIDTH)
    mine, other = {"need_weights": need_weights}, {"need_weights": need_weights}
    shape = (N * HEADS, L, S) if masks == "heads" else (L, S)
    if masks != "padding":
        mine["attn_mask"], other["attn_mask"] = random_masks(kind, shape)
    if masks in ("padding", "both"):
        mine["key_padding_mask"], other["key_padding_mask"] = random_masks(kind, (N, S))
    y, p = ours(q, k, k, **mine)
    z, w = theirs(r, s, s, **other)
    close(y, z)
    if need_weights:
        close(p, w)
        heads = ours(q, k, k, average_attn_weights=False, **mine)[1]
        close(heads, theirs(r, s, s, average_attn_weights=False, **other)[1])
    gradients_agree(ours, theirs, y, z, [(q, r), (k, s)])


def test_attention_without_batch_and_with_causal_hint():
    ours, theirs = both("MultiheadAttention", WIDTH, HEADS, batch_first=True)
    x, u = tensors(S, WIDTH)
    mask = tt.nn.Transformer.generate_square_subsequent_mask(S, dtype=tt.float64)
    other = torch.nn.Transformer.generate_square_subsequent_mask(S, dtype=torch.float64)
    for need in (True, False):
        y, p = ours(x, x, x, attn_mask=mask, is_causal=True, need_weights=need)
        z, q = theirs(u, u, u, attn_mask=other, is_causal=True, need_weights=need)
        close(y, z)
    assert p is None and q is None
    gradients_agree(ours, theirs, y, z, [(x, u)])


def test_attention_dropout_draws_what_pytorch_draws():
    ours, theirs = both("MultiheadAttention", WIDTH, HEADS, dropout=0.3)
    x, u = tensors(S, N, WIDTH)
    for need in (True, False):
        tt.manual_seed(3)
        torch.manual_seed(3)
        close(
            ours(x, x, x, need_weights=need)[0], theirs(u, u, u, need_weights=need)[0]
        )
    ours.eval()
    theirs.eval()
    close(ours(x, x, x)[0], theirs(u, u, u)[0])


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_attention_same_seed_same_weights(options):
    tt.manual_seed(7)
    torch.manual_seed(7)
    ours = tt.nn.MultiheadAttention(WIDTH, HEADS, **options)
    theirs = torch.nn.MultiheadAttention(WIDTH, HEADS, **options)
    names = [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_parameters()] == names
    for name, p, q in zip(names, ours.parameters(), theirs.parameters(), strict=True):
        if name.startswith("bias_"):  # normal: within 2 ulp
            close(p, q, 5e-7)
        else:
            assert p.tolist() == q.tolist(), name
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, m, x: t.nn.MultiheadAttention(7, 2),
        lambda t, m, x: t.nn.MultiheadAttention(0, 2),
        lambda t, m, x: m(x, x, x, is_causal=True),
        lambda t, m, x: m(x, x, x, attn_mask=t.zeros(4, 5)),
        lambda t, m, x: m(x, x, x, attn_mask=t.zeros(5, 5).long()),
        lambda t, m, x: m(x, x, x, key_padding_mask=t.zeros(3, 4).bool()),
        lambda t, m, x: m(x[0, 0], x, x),
        lambda t, m, x: m(x[..., :7], x, x),
        lambda t, m, x: m(x, x[:, 0], x),
    ],
)
def test_attention_errors(call):
    def run(library):
        module = library.nn.MultiheadAttention(WIDTH, HEADS)
        call(library, module, library.zeros(5, 3, WIDTH))

    equal_errors(lambda: run(tt), lambda: run(torch))


# ---- layers ----

LAYERS = [
    {},
    {"norm_first": True},
    {"batch_first": True, "activation": "gelu"},
    {"bias": False, "norm_first": True, "layer_norm_eps": 1e-3},
]


def inputs_of(options):
    shape = (N, S, WIDTH) if options.get("batch_first") else (S, N, WIDTH)
    memory = (N, L, WIDTH) if options.get("batch_first") else (L, N, WIDTH)
    return tensors(*shape), tensors(*memory)


@pytest.mark.parametrize("options", LAYERS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("train", [True, False])
def test_encoder_layer(options, train):
    ours, theirs = both("TransformerEncoderLayer", WIDTH, HEADS, 16, **options)
    assert repr(ours) == repr(theirs)
    ours.train(train)
    theirs.train(train)
    (x, u), _ = inputs_of(options)
    padding, other = random_masks("bool", (N, S))
    mask, same = random_masks("bool", (S, S))
    tt.manual_seed(2)
    torch.manual_seed(2)
    y = ours(x, mask, padding)
    z = theirs(u, same, other)
    close(y, z)
    gradients_agree(ours, theirs, y, z, [(x, u)])
    close(ours.eval()(x), theirs.eval()(u))


@pytest.mark.parametrize("options", LAYERS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("train", [True, False])
def test_decoder_layer(options, train):
    ours, theirs = both("TransformerDecoderLayer", WIDTH, HEADS, 16, **options)
    assert repr(ours) == repr(theirs)
    ours.train(train)
    theirs.train(train)
    (x, u), (m, v) = inputs_of(options)
    padding, other = random_masks("bool", (N, L))
    mask, same = random_masks("float", (S, S))
    tt.manual_seed(2)
    torch.manual_seed(2)
    y = ours(x, m, mask, memory_key_padding_mask=padding)
    z = theirs(u, v, same, memory_key_padding_mask=other)
    close(y, z)
    gradients_agree(ours, theirs, y, z, [(x, u), (m, v)])


def test_activation_may_be_a_module_or_a_function():
    ours = tt.nn.TransformerEncoderLayer(WIDTH, HEADS, 16, activation=tt.nn.GELU())
    theirs = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, 16, activation=torch.nn.GELU()
    )
    assert repr(ours) == repr(theirs)
    tt.nn.TransformerEncoderLayer(WIDTH, HEADS, activation=tt.tanh)(
        tt.zeros(S, N, WIDTH)
    )
    equal_errors(
        lambda: tt.nn.TransformerEncoderLayer(8, 2, activation="x"),
        lambda: torch.nn.TransformerEncoderLayer(8, 2, activation="x"),
    )


# ---- stacks ----


@pytest.mark.parametrize("causal", [None, "given", "hinted"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_encoder(causal, batch_first):
    options = {"batch_first": batch_first, "dropout": 0.0}
    layers, encoders = [], []
    for library, layer in zip(
        (tt, torch),
        both("TransformerEncoderLayer", WIDTH, HEADS, 16, **options),
        strict=True,
    ):
        dtype = library.float64
        norm = library.nn.LayerNorm(WIDTH, dtype=dtype)
        encoder = library.nn.TransformerEncoder(
            layer, 2, norm, enable_nested_tensor=False
        )
        layers.append(layer)
        encoders.append(encoder)
    ours, theirs = encoders
    (x, u), _ = inputs_of(options)
    mask = other = None
    if causal:
        make = tt.nn.Transformer.generate_square_subsequent_mask
        mask = make(S, dtype=tt.float64)
        other = copied_to_torch(mask)
    hint = True if causal == "hinted" else None
    y = ours(x, mask, is_causal=hint)
    z = theirs(u, other, is_causal=hint)
    close(y, z)
    gradients_agree(ours, theirs, y, z, [(x, u)])
    assert [n for n, _ in ours.named_parameters()] == [
        n for n, _ in theirs.named_parameters()
    ]
    assert repr(ours) == repr(theirs)


def copied_to_torch(x):
    return torch.from_numpy(x.numpy().copy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer(batch_first, norm_first):
    ours, theirs = both(
        "Transformer",
        WIDTH,
        HEADS,
        2,
        2,
        16,
        dropout=0.2,
        batch_first=batch_first,
        norm_first=norm_first,
    )
    (x, u), (m, v) = inputs_of({"batch_first": batch_first})
    mask = tt.nn.Transformer.generate_square_subsequent_mask(L, dtype=tt.float64)
    padding, other = random_masks("float", (N, S))
    tt.manual_seed(4)
    torch.manual_seed(4)
    y = ours(x, m, tgt_mask=mask, src_key_padding_mask=padding)
    z = theirs(u, v, tgt_mask=copied_to_torch(mask), src_key_padding_mask=other)
    close(y, z)
    gradients_agree(ours, theirs, y, z, [(x, u), (m, v)])
    x, u = tensors(S, WIDTH)
    m, v = tensors(L, WIDTH)
    close(ours.eval()(x, m), theirs.eval()(u, v))


def test_transformer_same_seed_same_weights():
    tt.manual_seed(7)
    torch.manual_seed(7)
    ours = tt.nn.Transformer(WIDTH, HEADS, 1, 2, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.nn.Transformer(WIDTH, HEADS, 1, 2, 16)
    for (name, p), (other, q) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == other
        assert p.tolist() == q.tolist(), name
    assert repr(ours) == repr(theirs)


def test_copies_of_layers_are_independent_and_pickle():
    layer = tt.nn.TransformerEncoderLayer(WIDTH, HEADS, 16, activation="gelu")
    encoder = tt.nn.TransformerEncoder(layer, 2).eval()
    assert encoder.layers[0].linear1.weight is not encoder.layers[1].linear1.weight
    x = tt.randn(S, N, WIDTH)
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        close(twin(x), encoder(x))
    assert type(layer).__module__ == "tinytorch.nn.modules.transformer"
    attention = type(layer.self_attn)
    assert attention.__module__ == "tinytorch.nn.modules.activation"
    assert tt.nn.modules.activation.MultiheadAttention is attention


@pytest.mark.parametrize(
    "call",
    [
        lambda t, m, x: m(x, x[:, :2]),
        lambda t, m, x: m(x[..., :7], x),
        lambda t, m, x: m(x, x[0]),
        lambda t, m, x: m.encoder(x, is_causal=True),
        lambda t, m, x: m.encoder(x, src_key_padding_mask=t.zeros(3, 5).long()),
        lambda t, m, x: m.encoder(x, mask=t.zeros(4, 4)),
    ],
)
def test_transformer_errors(call):
    def run(library):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = library.nn.Transformer(WIDTH, HEADS, 1, 1, 16)
        call(library, module, library.zeros(5, 3, WIDTH))

    equal_errors(lambda: run(tt), lambda: run(torch))


def test_subsequent_mask():
    make = tt.nn.Transformer.generate_square_subsequent_mask
    other = torch.nn.Transformer.generate_square_subsequent_mask
    assert make(3).tolist() == other(3).tolist()
    assert make(0).shape == (0, 0)
    assert make(2, dtype=tt.float64).dtype == tt.float64


def test_second_derivative_of_a_layer():
    ours, theirs = both("TransformerEncoderLayer", WIDTH, HEADS, 16, dropout=0.0)
    x, u = tensors(S, N, WIDTH)
    found = []
    for library, module, a in ((tt, ours, x), (torch, theirs, u)):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            y = module(a)
        (g,) = library.autograd.grad((y**3).sum(), a, create_graph=True)
        found.append(library.autograd.grad((g * g).sum(), a)[0])
    close(found[0], found[1], 1e-8)
