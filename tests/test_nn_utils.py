"""nn.utils: clipping, vectors, parametrizations, calls with other parameters."""

import copy
import math

import pytest

import tinytorch as tt
from outcomes import outcome

torch = pytest.importorskip("torch")


def layer(t, n=3, m=2):
    """Return a linear layer with fixed values, over the library `t`."""

    class Linear(t.nn.Module):
        def __init__(self):
            super().__init__()
            values = t.arange(n * m).reshape(m, n).float()
            self.weight = t.nn.Parameter(t.sin(values) * 0.7)
            self.bias = t.nn.Parameter(t.ones(m))

        def forward(self, x):
            return t.nn.functional.linear(x, self.weight, self.bias)

    return Linear()


def close(a, b, tol=1e-5):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(
            close(x, y, tol) for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, float) and isinstance(b, float):
        same = a == b or math.isnan(a) and math.isnan(b)
        return same or abs(a - b) <= tol * (1 + abs(b))
    return a == b


def alike(program):
    """Assert that a program does the same with both libraries; return what."""
    done = []
    for library in (tt, torch):
        library.manual_seed(3)
        done.append(outcome(program, library))
    got, expected = done
    assert close(got, expected), (got, expected)
    return expected


def with_grads(t, scale=3.0):
    params = [t.nn.Parameter(t.ones(3)), t.nn.Parameter(t.ones(2, 2))]
    params.append(t.nn.Parameter(t.ones(1)))
    params[0].grad = t.tensor([1.0, -2.0, 3.0]) * scale
    params[1].grad = t.tensor([[0.5, 0.0], [4.0, -1.0]]) * scale
    return params


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, math.inf, 0.0, -math.inf])
@pytest.mark.parametrize("scale", [3.0, 0.01])
def test_clip_grad_norm(order, scale):
    def program(t):
        params = with_grads(t, scale)
        total = t.nn.utils.clip_grad_norm_(params, 1.5, norm_type=order)
        return total.item(), [p.grad.tolist() for p in params[:2]], params[2].grad

    alike(program)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_clip_grad_norm_of_other_dtypes(dtype):
    grads = tt.tensor([3.0, 4.0], dtype=getattr(tt, dtype))
    p = tt.nn.Parameter(tt.zeros_like(grads))
    p.grad = grads
    total = tt.nn.utils.clip_grad_norm_(p, 1.0)
    assert total.dtype == grads.dtype and total.item() == 5
    assert close(p.grad.tolist(), [0.6, 0.8], 4e-3)


CLIPS = {
    "nan": lambda t, p: t.nn.utils.clip_grad_norm_(
        p, 1.0, error_if_nonfinite=True
    ).item(),
    "none": lambda t, p: t.nn.utils.clip_grad_norm_([], 1.0).item(),
    "total": lambda t, p: t.nn.utils.get_total_norm([t.ones(2), t.ones(3)]).item(),
    "given": lambda t, p: [
        t.nn.utils.clip_grads_with_norm_(p[:1], 1.0, t.tensor(7.0)),
        p[0].grad.tolist(),
    ],
    "value": lambda t, p: [
        t.nn.utils.clip_grad_value_(p[:2], 0.7),
        [x.grad.tolist() for x in p[:2]],
    ],
}


@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name):
    def program(t):
        params = with_grads(t)
        if name == "nan":
            params[0].grad[1] = math.nan
        return CLIPS[name](t, params)

    alike(program)


@pytest.mark.parametrize("limit", [0.3, 1, math.inf, -0.5, math.nan])
def test_clip_grad_value_of_many_gradients(limit):
    """All dtypes at once, one transposed, one of several chunks, one without."""

    def program(t):
        t.manual_seed(1)
        params = []
        for dtype in (t.float32, t.float64, t.float16, t.float32, t.bfloat16):
            values = t.rand(7, 5).to(dtype) * 2 - 1
            values[0, :3] = t.tensor([math.nan, math.inf, -math.inf])
            params.append(t.nn.Parameter(t.zeros(7, 5, dtype=dtype)))
            params[-1].grad = values
        params += [t.nn.Parameter(t.zeros(3)), t.nn.Parameter(t.zeros(40_000))]
        params[-1].grad = t.rand(40_000) - 0.5
        params.append(t.nn.Parameter(t.zeros(5, 7)))
        params[-1].grad = (t.rand(7, 5) * 2 - 1).t()
        before = params[0].grad._version
        t.nn.utils.clip_grad_value_(iter(params), limit)
        grads = [p.grad for p in params if p.grad is not None]
        assert params[0].grad._version > before and params[-1].grad.stride() == (1, 5)
        return [g.double().flatten().tolist() for g in grads]

    _, found = alike(program)
    assert max(map(len, found)) == 40_000


def test_clip_grad_value_is_captured():
    p = tt.nn.Parameter(tt.tensor([1.0, 2.0]))

    @tt.capture
    def step(x):
        p.grad = None
        (p * x).sum().backward()
        tt.nn.utils.clip_grad_value_([p], 0.5)
        return p.grad * 1

    for scale in (0.1, 1.0, -3.0, 0.2):
        y = step(tt.tensor([scale, 0.25]))
        assert y.tolist() == pytest.approx([max(-0.5, min(0.5, scale)), 0.25])


def test_clipping_warns_of_an_empty_generator():
    with pytest.warns(UserWarning, match="empty generator"):
        tt.nn.utils.clip_grad_norm_((p for p in ()), 1.0)
    with pytest.warns(FutureWarning, match="is now deprecated"):
        tt.nn.utils.clip_grad_norm(with_grads(tt), 1.0)


def test_vector_of_parameters_and_back():
    def program(t):
        m = layer(t)
        v = t.nn.utils.parameters_to_vector(m.parameters())
        t.nn.utils.vector_to_parameters(v * 2, m.parameters())
        return v.tolist(), m.weight.tolist(), m.weight.is_leaf, m.bias.tolist()

    alike(program)
    alike(lambda t: t.nn.utils.vector_to_parameters(3, []))


def two_steps(t, m):
    """Return outputs and gradients of two calls."""
    out = []
    for _ in range(2):
        y = m(t.tensor([[1.0, -2.0, 0.5]]))
        m.zero_grad()
        (y * y).sum().backward()
        out.append(y.tolist())
        out.append({k: p.grad.flatten().tolist() for k, p in m.named_parameters()})
    return [x if isinstance(x, list) else sorted(x.items()) for x in out]


WRAPS = {
    "weight_norm": lambda t, m: t.nn.utils.parametrizations.weight_norm(m),
    "weight_norm of all": lambda t, m: t.nn.utils.parametrizations.weight_norm(
        m, dim=None
    ),
    "spectral_norm": lambda t, m: t.nn.utils.parametrizations.spectral_norm(m),
    "spectral_norm of vector": lambda t, m: t.nn.utils.parametrizations.spectral_norm(
        m, "bias"
    ),
    "orthogonal": lambda t, m: t.nn.utils.parametrizations.orthogonal(m),
    "cayley": lambda t, m: t.nn.utils.parametrizations.orthogonal(
        m, orthogonal_map="cayley"
    ),
    "matrix_exp": lambda t, m: t.nn.utils.parametrizations.orthogonal(
        m, orthogonal_map="matrix_exp"
    ),
    "householder": lambda t, m: t.nn.utils.parametrizations.orthogonal(
        m, orthogonal_map="householder", use_trivialization=False
    ),
    "no map": lambda t, m: t.nn.utils.parametrizations.orthogonal(
        m, orthogonal_map="x"
    ),
    "no name": lambda t, m: t.nn.utils.parametrizations.orthogonal(m, "x"),
    "hook: spectral_norm": lambda t, m: t.nn.utils.spectral_norm(m),
}


@pytest.mark.parametrize("name", WRAPS)
def test_parametrization_is_pytorchs(name):
    def program(t):
        m = WRAPS[name](t, layer(t))
        values = {k: v.flatten().tolist() for k, v in m.state_dict().items()}
        return sorted(values.items()), repr(m), two_steps(t, m)

    alike(program)


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_by_hook(dim):
    def program(t):
        m = layer(t)
        with pytest.warns(FutureWarning, match="deprecated in favor of"):
            t.nn.utils.weight_norm(m, dim=dim)
        out = two_steps(t, m), list(m.state_dict())
        t.nn.utils.remove_weight_norm(m)
        return *out, list(m.state_dict()), m.weight.tolist()

    alike(program)


def test_removing_what_is_not_there():
    alike(lambda t: t.nn.utils.remove_weight_norm(t.nn.Sequential()))
    alike(lambda t: t.nn.utils.remove_spectral_norm(t.nn.Sequential()))

    def program(t):
        m = t.nn.utils.spectral_norm(layer(t))
        m(t.ones(1, 3))
        t.nn.utils.remove_spectral_norm(m)
        return list(m.state_dict()), m.weight.tolist(), len(m._forward_pre_hooks)

    alike(program)


def doubled(t):
    class Doubled(t.nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            return x / 2

    return Doubled()


def test_parametrize_register_cache_assign_and_remove():
    def program(t):
        p = t.nn.utils.parametrize
        m = layer(t)
        cls = type(m)
        p.register_parametrization(m, "weight", doubled(t))
        p.register_parametrization(m, "weight", doubled(t))
        out = [type(m).__name__, p.is_parametrized(m), p.is_parametrized(m, "bias")]
        out += [m.weight.tolist(), m.parametrizations.weight.original.tolist()]
        with p.cached():
            out.append(m.weight is m.weight)
        out.append(m.weight is m.weight)
        m.weight = t.ones(2, 3)
        out.append(m.parametrizations.weight.original.tolist())
        out.append(copy.deepcopy(m).weight.tolist())
        out.append(p.type_before_parametrizations(m) is cls)
        out.append([k for k, _ in m.named_parameters()])
        p.remove_parametrizations(m, "weight")
        out += [type(m) is cls, list(m.state_dict()), m.weight.tolist()]
        out.append(isinstance(m.weight, t.nn.Parameter))
        return out

    alike(program)


def test_parametrize_refuses_another_shape():
    def program(t):
        class Longer(t.nn.Module):
            def forward(self, x):
                return t.cat([x, x])

        t.nn.utils.parametrize.register_parametrization(layer(t), "weight", Longer())

    assert alike(program)[0] == "ValueError"


def test_functional_call():
    def program(t):
        call = t.func.functional_call
        m = t.nn.Sequential(layer(t, 3, 3), layer(t))
        tied = t.nn.Sequential(m[0], m[0])
        x = t.ones(1, 3)
        w = t.zeros(3, 3, requires_grad=True)
        y = call(m, {"0.weight": w}, x)
        y.sum().backward()
        before = m(x).tolist()
        both = call(tied, {"0.bias": t.zeros(3)}, (x,)).tolist()
        one = call(m, [{"0.bias": t.zeros(3)}, {"1.bias": t.zeros(2)}], (x,)).tolist()
        return y.tolist(), w.grad.tolist(), m[0].weight.grad, before, both, one

    alike(program)


CALLS = {
    "unexpected": ({"z": 1}, {"strict": True}),
    "no such part": ({"a.z": 1}, {}),
    "strict": ({"0.weight": 1}, {"strict": True}),
    "twice": ([{"0.weight": 1}, {"0.weight": 1}], {}),
    "no dict": (3, {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_functional_call_raises(name):
    given, options = CALLS[name]

    def error(t):
        m = t.nn.Sequential(layer(t, 3, 3))

        def tensors(d):
            return {k: t.ones(3, 3) for k in d} if isinstance(d, dict) else d

        values = (
            [tensors(d) for d in given] if isinstance(given, list) else tensors(given)
        )
        with pytest.raises(Exception) as caught:
            t.func.functional_call(m, values, (t.ones(1, 3),), **options)
        return caught.type

    assert error(tt) is error(torch)


def test_functional_call_shows_other_names_for_the_time_of_the_call():
    def program(t):
        class Shown(t.nn.Module):
            def forward(self):
                return self.extra * 2

        m = Shown()
        y = t.func.functional_call(m, {"extra": t.ones(2)}, ())
        return y.tolist(), hasattr(m, "extra"), list(m.state_dict())

    alike(program)


def test_functional_call_restores_after_an_error():
    m = layer(tt)
    w = m.weight
    with pytest.raises(RuntimeError):
        tt.func.functional_call(m, {"weight": tt.ones(5, 5)}, tt.ones(1, 3))
    assert m.weight is w and m._parameters["weight"] is w


def test_skip_init():
    class Drawn(tt.nn.Module):
        def __init__(self, n, device=None):
            super().__init__()
            self.weight = tt.nn.Parameter(tt.empty(n, device=device))
            self.met = self.weight.is_meta

    m = tt.nn.utils.skip_init(Drawn, 4)
    assert m.met and not m.weight.is_meta and m.weight.shape == (4,)
    with pytest.raises(RuntimeError, match="Module must support a 'device' arg"):
        tt.nn.utils.skip_init(tt.nn.Sequential)
