"""First values: the same seed gives the values that PyTorch draws."""

import warnings

import pytest

import tinytorch as tt

torch = pytest.importorskip("torch")

SHAPES = [(3, 4), (40, 30), (8, 3, 3, 3)]
SAME_BITS = """uniform_ normal_ trunc_normal_ xavier_uniform_ xavier_normal_
kaiming_uniform_ kaiming_normal_ ones_ zeros_ dirac_""".split()


def drawn(t, draw):
    t.manual_seed(5)
    values = draw(t, t.nn.init)
    after = t.rand(1).item()
    return list(values.shape), values.flatten().tolist(), after


def same_bits(draw):
    assert drawn(tt, draw) == drawn(torch, draw)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", SAME_BITS)
def test_values_are_pytorchs(name, shape):
    if name == "dirac_" and len(shape) < 3:
        shape = (*shape, 3)
    same_bits(lambda t, init: getattr(init, name)(t.empty(shape)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonal_values_are_pytorchs_but_for_rounding(shape):
    def draw(t, init):
        return init.orthogonal_(t.empty(shape), gain=1.5)

    (size, values, after), (size_, values_, after_) = (
        drawn(tt, draw),
        drawn(torch, draw),
    )
    assert (size, after) == (size_, after_)
    assert tt.tensor(values).allclose(tt.tensor(values_), rtol=1e-5, atol=2e-6)


INTERVALS = [
    (0.5, 0.2, 0, 1),  # most normal draws lie inside
    (0, 1, -0.39, 0.39),  # just enough do
    (0, 1, -0.38, 0.38),  # too few: drawn from a uniform
    (0, 1, 1, 3),
    (0, 1, 4, 4.1),
    (2, 0.5, -1, 0.9),
]


@pytest.mark.parametrize("numbers", INTERVALS, ids=str)
def test_truncated_normal_in_any_interval(numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a mean far outside
        same_bits(lambda t, init: init.trunc_normal_(t.empty(50, 3), *numbers))


@pytest.mark.parametrize(
    "draw",
    [
        lambda t, init: init.sparse_(t.empty(10, 4), 0.3),
        lambda t, init: init.eye_(t.empty(4, 3)),
        lambda t, init: init.constant_(t.empty(3), 0.3),
        lambda t, init: init.dirac_(t.empty(4, 2, 3), groups=2),
        lambda t, init: init.kaiming_normal_(t.empty(3, 5), 0.2, "fan_out"),
        lambda t, init: init.kaiming_uniform_(t.empty(3, 5), nonlinearity="relu"),
        lambda t, init: init.xavier_uniform_(t.empty(3, 5), gain=2.0),
        lambda t, init: init.uniform_(t.empty(20, dtype=t.float64), -2, 3),
    ],
    ids="sparse eye constant groups fan_out relu gain double".split(),
)
def test_arguments_mean_what_they_mean_in_pytorch(draw):
    same_bits(draw)


def test_generator_is_used():
    def draw(t, init):
        return init.normal_(t.empty(40), generator=t.Generator().manual_seed(3))

    same_bits(draw)


def test_gradients_are_not_recorded():
    p = tt.nn.Parameter(tt.empty(3, 3))
    for name in ("uniform_", "trunc_normal_", "orthogonal_", "eye_", "sparse_"):
        args = (0.3,) if name == "sparse_" else ()
        assert getattr(tt.nn.init, name)(p, *args) is p
        assert p.grad_fn is None and p.requires_grad


@pytest.mark.parametrize(
    "name", "linear conv2d conv_transpose3d sigmoid tanh relu leaky_relu selu".split()
)
def test_gain(name):
    assert tt.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    if name == "leaky_relu":
        assert tt.nn.init.calculate_gain(name, 0.3) == torch.nn.init.calculate_gain(
            name, 0.3
        )


ERRORS = {
    "fan of vector": lambda t, i: i.xavier_uniform_(t.empty(3)),
    "orthogonal": lambda t, i: i.orthogonal_(t.empty(3)),
    "sparse": lambda t, i: i.sparse_(t.empty(3), 0.1),
    "eye": lambda t, i: i.eye_(t.empty(3)),
    "dirac": lambda t, i: i.dirac_(t.empty(3)),
    "dirac groups": lambda t, i: i.dirac_(t.empty(3, 2, 3), groups=2),
    "gain": lambda t, i: i.calculate_gain("foo"),
    "slope": lambda t, i: i.calculate_gain("leaky_relu", "a"),
    "mode": lambda t, i: i.kaiming_normal_(t.empty(3, 3), mode="x"),
    "std": lambda t, i: i.normal_(t.empty(3), 0, -1),
    "range": lambda t, i: i.uniform_(t.empty(3), 3, 1),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_as_in_pytorch(name):
    def error(t):
        with pytest.raises(Exception) as caught:
            ERRORS[name](t, t.nn.init)
        return caught.type, str(caught.value)

    assert error(tt) == error(torch)


def test_warnings():
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
        tt.nn.init.kaiming_uniform_(tt.empty(0, 3))
    with pytest.warns(FutureWarning, match="`nn.init.uniform` is now deprecated"):
        tt.nn.init.uniform(tt.empty(3))
    with pytest.warns(UserWarning, match="more than 2 std"):
        tt.nn.init.trunc_normal_(tt.empty(3), mean=5)
