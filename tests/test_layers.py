"""Layers beside PyTorch's: first weights, reprs, signatures, errors, convolutions."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from layer_cases import CASES, DRAWN, FAILING
from oracle import difference, seed, tensors, to_tiny, to_torch

CLASSES = sorted(
    name
    for name in dir(tt.nn)
    if isinstance(getattr(tt.nn, name), type)
    and issubclass(getattr(tt.nn, name), tt.nn.Module)
    and hasattr(torch.nn, name)
    and name != "Container"  # a former name of Module
)


def run(text: str, library: Any) -> Any:
    """Evaluate an expression with the names of a library and of its nn."""
    names = ("zeros", "ones", "full", "rand", "tensor", "int64", "float64")
    found = {name: getattr(library, name) for name in names}
    return eval(text, {**vars(library.nn), **found})


def attempt(text: str, library: Any) -> tuple[Any, list[str]]:
    """Return the result or the exception, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = run(text, library)
        except Exception as error:
            result = error
    return result, [f"{w.category.__name__}: {w.message}" for w in caught]


# ---- what a layer is made of ----


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", CASES)
def test_layer_repr(text: str) -> None:
    assert repr(run(text, tt)) == repr(run(text, torch))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", CASES)
def test_layer_attributes(text: str) -> None:
    layer, expected = run(text, tt), run(text, torch)
    for name, value in vars(expected).items():
        if name.startswith("_") or "hook" in name:
            continue
        actual = getattr(layer, name)
        assert type(actual) is type(value) or name == "training"
        assert repr(actual) == repr(value)
    assert list(layer.state_dict()) == list(expected.state_dict())
    assert [n for n, _ in layer.named_parameters()] == [
        n for n, _ in expected.named_parameters()
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", DRAWN)
@pytest.mark.parametrize("number", [0, 1234])
def test_layer_first_weights(text: str, number: int) -> None:
    seed(number)
    expected = run(text, torch).state_dict()
    following = torch.rand(3).tolist()
    seed(number)
    actual = run(text, tt).state_dict()
    assert list(actual) == list(expected)
    normal = text.startswith("Embedding")  # 2 ulp; all others bit for bit
    for name, value in expected.items():
        ours = to_torch(actual[name])
        assert ours.dtype == value.dtype and ours.shape == value.shape
        if normal:
            torch.testing.assert_close(ours, value, rtol=3e-7, atol=3e-7)
        else:
            assert torch.equal(ours, value), name
    assert tt.rand(3).tolist() == following


@pytest.mark.parametrize("name", CLASSES)
def test_layer_signature(name: str) -> None:
    actual = inspect.signature(getattr(tt.nn, name)).parameters
    expected = inspect.signature(getattr(torch.nn, name)).parameters
    ours = [p for p in actual.values() if p.name != "activation" or p.name in expected]
    assert [(p.name, p.kind) for p in ours] == [
        (p.name, p.kind) for p in expected.values()
    ]
    for p in ours:
        if not callable(expected[p.name].default):
            assert repr(p.default) == repr(expected[p.name].default), p.name


@pytest.mark.parametrize("name", CLASSES)
def test_layer_lies_where_pytorch_has_it(name: str) -> None:
    where = getattr(torch.nn, name).__module__.replace("torch.", "tinytorch.", 1)
    module = __import__(where, fromlist=[name])
    assert getattr(module, name) is getattr(tt.nn, name)


def test_layers_are_all_there() -> None:
    assert set(torch.nn.modules.__all__) - set(dir(tt.nn)) == set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", [t for t in CASES if "Lazy" not in t])
def test_layer_is_copied_and_pickled(text: str) -> None:
    layer = run(text, tt)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(twin) is type(layer) and repr(twin) == repr(layer)
        for one, other in zip(twin.parameters(), layer.parameters(), strict=True):
            assert one is not other and one.tolist() == other.tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", [t for t in CASES if "Lazy" not in t])
def test_layer_is_rebuilt_from_pytorchs(text: str) -> None:
    expected = run(text, torch)
    twin = to_tiny(expected)
    assert type(twin) is getattr(tt.nn, type(expected).__name__)
    assert repr(twin) == repr(expected)


# ---- errors ----


@pytest.mark.parametrize("text", FAILING)
def test_layer_errors(text: str) -> None:
    expected, expected_warnings = attempt(text, torch)
    actual, actual_warnings = attempt(text, tt)
    if isinstance(expected, Exception):
        assert isinstance(actual, Exception), f"expected {expected!r}"
        assert type(actual).__name__ == type(expected).__name__, (actual, expected)
        assert _words(actual) == _words(expected)
    else:
        assert not isinstance(actual, Exception), actual
    assert actual_warnings == expected_warnings


def _words(error: Exception) -> str:
    """Return the message; sets are printed in any order."""
    text = " ".join(str(error).split())
    return "".join(sorted(text)) if "{" in text else text


# ---- random shapes against PyTorch ----


def compare(layer: Any, expected: Any, *inputs: torch.Tensor, **options: Any) -> None:
    """Compare outputs and gradients of two layers with the state of the second."""
    layer.load_state_dict(to_tiny(dict(expected.state_dict())))
    ours = [x.requires_grad_() for x in to_tiny([x.detach() for x in inputs])]
    theirs = [x.detach().requires_grad_() for x in inputs]
    y, z = layer(*ours, **options), expected(*theirs, **options)
    assert difference(to_torch(y), z) is None
    weights = torch.randn(z.shape, dtype=z.dtype)
    y.backward(to_tiny(weights))
    z.backward(weights)
    for one, other in zip(
        [*ours, *layer.parameters()], [*theirs, *expected.parameters()], strict=True
    ):
        assert difference(to_torch(one.grad), other.grad, 100.0) is None


def _random_convolution(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    groups = int(rng.choice([1, 1, 2, 3]))
    channels = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    kernel = tuple(int(k) for k in rng.integers(1, 4, n))
    options = {
        "stride": tuple(int(k) for k in rng.integers(1, 4, n)),
        "padding": tuple(int(k) for k in rng.integers(0, 3, n)),
        "dilation": tuple(int(k) for k in rng.integers(1, 3, n)),
        "groups": groups,
        "bias": bool(rng.integers(2)),
    }
    size = tuple(int(k) for k in rng.integers(7, 11, n))
    batch = () if rng.integers(4) == 0 else (int(rng.integers(1, 4)),)
    x = torch.from_numpy(rng.standard_normal((*batch, channels[0], *size)))
    return channels, kernel, options, x


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # of PyTorch
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("number", range(12))
def test_convolution_of_random_shape(n: int, number: int) -> None:
    rng = np.random.default_rng(100 * n + number)
    (c, d), kernel, options, x = _random_convolution(rng, n)
    options["padding_mode"] = str(
        rng.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    )
    if rng.integers(4) == 0:
        options.update(padding="same", stride=1)
    name = f"Conv{n}d"
    layer = getattr(tt.nn, name)(c, d, kernel, dtype=tt.float64, **options)
    expected = getattr(torch.nn, name)(c, d, kernel, dtype=torch.float64, **options)
    assert repr(layer) == repr(expected)
    compare(layer, expected, x)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("number", range(12))
def test_transposed_convolution_of_random_shape(n: int, number: int) -> None:
    rng = np.random.default_rng(500 + 100 * n + number)
    (c, d), kernel, options, x = _random_convolution(rng, n)
    pairs = zip(options["stride"], options["dilation"], strict=True)
    options["output_padding"] = tuple(int(rng.integers(max(p))) for p in pairs)
    options["padding"] = tuple(
        min(p, e * (k - 1))
        for p, e, k in zip(options["padding"], options["dilation"], kernel, strict=True)
    )
    name = f"ConvTranspose{n}d"
    layer = getattr(tt.nn, name)(c, d, kernel, dtype=tt.float64, **options)
    expected = getattr(torch.nn, name)(c, d, kernel, dtype=torch.float64, **options)
    assert repr(layer) == repr(expected)
    compare(layer, expected, x)
    size = expected(x).shape[-n:]
    largest = [
        k - o + s - 1
        for k, o, s in zip(
            size, options["output_padding"], options["stride"], strict=True
        )
    ]
    compare(layer, expected, x, output_size=largest)


@pytest.mark.parametrize(
    "text",
    [
        "Linear(3, 4)",
        "Bilinear(3, 3, 2)",
        "LayerNorm(3)",
        "RMSNorm(3)",
        "BatchNorm1d(3)",
        "BatchNorm1d(3, momentum=None)",
        "PReLU(3)",
        "Softmax(-1)",
    ],
)
def test_layer_in_training(text: str) -> None:
    seed(3)
    layer, expected = run(text, tt).double(), run(text, torch).double()
    two = 2 if "Bilinear" in text else 1
    for _ in range(3):
        compare(layer, expected, *torch.randn(two, 5, 3, dtype=torch.float64))
        layer.zero_grad()
        expected.zero_grad()
    for one, other in zip(
        tensors(dict(layer.state_dict())),
        tensors(dict(expected.state_dict())),
        strict=True,
    ):
        assert difference(to_torch(one), other) is None


@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout_masks(name: str, p: float) -> None:
    for kind in (name, name.replace("FeatureAlpha", "").replace("Alpha", "")):
        seed(11)
        expected = getattr(torch.nn, kind)(p)(torch.ones(6, 7))
        actual = getattr(tt.nn, kind)(p)(tt.ones(6, 7))
        assert difference(to_torch(actual), expected) is None


def test_embedding_from_pretrained() -> None:
    table = torch.randn(5, 3)
    index = torch.tensor([[0, 4], [2, 2]])
    for name in ("Embedding", "EmbeddingBag"):
        layer = getattr(tt.nn, name).from_pretrained(to_tiny(table), padding_idx=2)
        expected = getattr(torch.nn, name).from_pretrained(table, padding_idx=2)
        assert repr(layer) == repr(expected)
        assert not layer.weight.requires_grad
        assert difference(to_torch(layer(to_tiny(index))), expected(index)) is None


@pytest.mark.parametrize("size", [3, 4, 5])
def test_cross_map_lrn_is_local_response_norm(size: int) -> None:
    x = tt.randn(2, 7, 3, 3, dtype=tt.float64)
    x.requires_grad_()
    y = tt.nn.CrossMapLRN2d(size, alpha=0.1)(x)
    reach = (size - 1) // 2
    width = 2 * reach + 1
    share = 0.1 * width / size
    z = tt.nn.LocalResponseNorm(width, alpha=share)(x)
    assert tt.allclose(y, z)


def test_adaptive_log_softmax() -> None:
    seed(5)
    expected = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], 2.0).double()
    layer = tt.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], 2.0).double()
    layer.load_state_dict(to_tiny(dict(expected.state_dict())))
    x, target = torch.randn(9, 16, dtype=torch.float64), torch.arange(9) * 2
    for one, other in ((x, target), (x[0], target[7])):
        found, wanted = layer(to_tiny(one), to_tiny(other)), expected(one, other)
        assert type(found).__name__ == type(wanted).__name__
        actual, loss = found
        assert difference(to_torch(actual), wanted.output) is None
        assert difference(to_torch(loss), wanted.loss) is None
    layer(to_tiny(x), to_tiny(target)).loss.backward()
    expected(x, target).loss.backward()
    for one, other in zip(layer.parameters(), expected.parameters(), strict=True):
        assert difference(to_torch(one.grad), other.grad, 10.0) is None
    for scale in (1.0, 100.0):
        for method in ("log_prob", "predict"):
            actual = getattr(layer, method)(to_tiny(x * scale))
            wanted = getattr(expected, method)(x * scale)
            assert difference(to_torch(actual), wanted) is None


def test_sync_batch_norm_converts() -> None:
    net = tt.nn.Sequential(
        tt.nn.Conv2d(2, 3, 1), tt.nn.Sequential(tt.nn.BatchNorm2d(3, affine=False))
    ).eval()
    x = tt.randn(2, 2, 4, 4)
    y = net(x)
    converted = tt.nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(converted[1][0]) is tt.nn.SyncBatchNorm
    assert tt.equal(converted(x), y)


@pytest.mark.parametrize("method", ["auto", "aspect_ratio:1", None])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_linear_cross_entropy_in_chunks(method: str, reduction: str) -> None:
    options = tt.nn.LinearCrossEntropyOptions(chunking_method=method)
    x, w = tt.randn(12, 3, requires_grad=True), tt.randn(7, 3, requires_grad=True)
    target = tt.arange(12) % 7
    found = []
    for given in (None, options):
        y = tt.nn.functional.linear_cross_entropy(
            x, w, target, reduction=reduction, ignore_index=2, options=given
        )
        found.append((y, *tt.autograd.grad(y.sum(), (x, w))))
    for one, other in zip(*found, strict=True):
        assert tt.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_linear_cross_entropy_options() -> None:
    for text in ("()", "(True, 4, 'aspect_ratio:3', 'compact')", "(acc_policy='x')",
                 "(chunking_method='x')", "(batch_chunk_size=0)"):
        actual, _ = attempt("LinearCrossEntropyOptions" + text, tt)
        expected, _ = attempt("LinearCrossEntropyOptions" + text, torch)
        assert repr(actual) == repr(expected)


def test_prefix_is_taken_off_a_state() -> None:
    found = []
    for library in (torch, tt):
        net = library.nn.Sequential(
            library.nn.Linear(2, 2), library.nn.BatchNorm1d(2)
        )
        state = library.nn.ModuleDict({"module": net}).state_dict()
        utils = library.nn.modules.utils
        utils.consume_prefix_in_state_dict_if_present(state, "module.")
        found.append((list(state), dict(state._metadata)))
    assert found[0] == found[1]
