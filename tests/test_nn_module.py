"""Modules: the same classes defined over both libraries behave alike."""

import copy
import gc
import pickle
import weakref

import pytest

import tinytorch as tt
from twin_modules import Layer, Net, alike, both

WALKS = {
    "parameters": lambda t, L, N: [k for k, _ in N().named_parameters()],
    "prefixed": lambda t, L, N: [k for k, _ in N().named_parameters("p")],
    "own": lambda t, L, N: [k for k, _ in L(1, 2).named_parameters(recurse=False)],
    "all names": lambda t, L, N: [
        k for k, _ in N().named_parameters(remove_duplicate=False)
    ],
    "buffers": lambda t, L, N: [k for k, _ in N().named_buffers()],
    "modules": lambda t, L, N: [(k, type(m).__name__) for k, m in N().named_modules()],
    "modules twice": lambda t, L, N: [
        k for k, _ in N().named_modules(remove_duplicate=False)
    ],
    "children": lambda t, L, N: [k for k, _ in N().named_children()],
    "state": lambda t, L, N: list(N().state_dict()),
    "state prefix": lambda t, L, N: list(N().state_dict(prefix="x.")),
    "metadata": lambda t, L, N: dict(N().state_dict()._metadata),
    "repr": lambda t, L, N: repr(N()),
    "repr list": lambda t, L, N: repr(t.nn.ModuleList([L(1, 1), L(1, 1), L(2, 1)])),
    "repr dict": lambda t, L, N: repr(t.nn.ModuleDict({"a": L(1, 1), "b": N()})),
    "repr parameters": lambda t, L, N: repr(
        t.nn.ParameterList([t.ones(2, 3), t.ones(())])
    ).replace("tinytorch.", "torch."),
    "repr named": lambda t, L, N: repr(t.nn.ParameterDict({"a": t.ones(2, 3), "b": 3})),
    "path": lambda t, L, N: N().get_submodule("rest.1.0").extra_repr(),
    "by path": lambda t, L, N: list(N().get_parameter("rest.1.0.weight").shape),
    "names": lambda t, L, N: [
        n in dir(N()) for n in ("a", "rest", "0", "training", "forward", "zzz")
    ],
    "values": lambda t, L, N: N()(t.ones(1, 2)).tolist(),
}


@pytest.mark.parametrize("name", WALKS)
def test_walk_is_as_in_pytorch(name):
    alike(WALKS[name])


ERRORS = {
    "before init": lambda t, L, N: setattr(
        t.nn.Module.__new__(t.nn.Module), "a", t.nn.Parameter(t.ones(1))
    ),
    "module before init": lambda t, L, N: setattr(
        t.nn.Module.__new__(t.nn.Module), "a", t.nn.Module()
    ),
    "int as parameter": lambda t, L, N: setattr(L(1, 1), "weight", 3),
    "tensor as parameter": lambda t, L, N: setattr(L(1, 1), "weight", t.ones(1)),
    "int as module": lambda t, L, N: setattr(N(), "a", 3),
    "int as buffer": lambda t, L, N: setattr(L(1, 1), "steps", 3),
    "plain parameter": lambda t, L, N: L(1, 1).register_parameter("p", t.ones(1)),
    "module name": lambda t, L, N: N().add_module("a.b", L(1, 1)),
    "no module": lambda t, L, N: N().add_module("b", 3),
    "empty name": lambda t, L, N: N().add_module("", L(1, 1)),
    "taken": lambda t, L, N: N().add_module("forward", L(1, 1)),
    "taken buffer": lambda t, L, N: L(1, 1).register_buffer("weight", None),
    "buffer name": lambda t, L, N: L(1, 1).register_buffer(3, None),
    "buffer dot": lambda t, L, N: L(1, 1).register_buffer("a.b", None),
    "buffer type": lambda t, L, N: L(1, 1).register_buffer("x", 3),
    "no attribute": lambda t, L, N: L(1, 1).nothing,
    "no deletion": lambda t, L, N: delattr(L(1, 1), "nothing"),
    "no submodule": lambda t, L, N: N().get_submodule("a.b"),
    "no parameter": lambda t, L, N: N().get_parameter("a.m"),
    "no buffer": lambda t, L, N: N().get_buffer("a.weight"),
    "no such child": lambda t, L, N: N().set_submodule("x.y", L(1, 1)),
    "strict child": lambda t, L, N: N().set_submodule("b", L(1, 1), strict=True),
    "no target": lambda t, L, N: N().set_submodule("", L(1, 1)),
    "init args": lambda t, L, N: t.nn.Module(3),
    "init kwargs": lambda t, L, N: t.nn.Module(x=3),
    "no forward": lambda t, L, N: t.nn.Module()(3),
    "mode": lambda t, L, N: L(1, 1).train(3),
    "dtype": lambda t, L, N: L(1, 1).to(t.int32),
    "load type": lambda t, L, N: L(1, 1).load_state_dict(3),
    "load none": lambda t, L, N: N().load_state_dict({}),
    "load wrong": lambda t, L, N: L(2, 2).load_state_dict(
        {"weight": t.ones(3), "bias": 3, "x": 1, "a.b": 1}
    ),
    "sequential index": lambda t, L, N: t.nn.Sequential(L(1, 1))[3],
    "sequential add": lambda t, L, N: t.nn.Sequential(L(1, 1)) * 0,
    "list index": lambda t, L, N: t.nn.ModuleList([L(1, 1)])[-2],
    "list extend": lambda t, L, N: t.nn.ModuleList([L(1, 1)]).extend(3),
    "dict update": lambda t, L, N: t.nn.ModuleDict([(1,)]),
    "dict key": lambda t, L, N: t.nn.ModuleDict({})["a"],
    "called": lambda t, L, N: t.nn.ParameterList()(),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_as_in_pytorch(name):
    expected, got = both(ERRORS[name])
    assert expected[0] != "value"
    assert got == expected


def test_tables_and_attributes_stay_in_step():
    m = Layer(2, 3)
    w = tt.nn.Parameter(tt.zeros(3, 2))
    m._parameters["weight"] = w
    assert m.weight is w
    m.bias = None
    assert m._parameters["bias"] is None and m.bias is None
    m.bias = b = tt.nn.Parameter(tt.zeros(3))
    assert m._parameters["bias"] is b and list(m._parameters)[1] == "bias"
    del m._buffers["steps"]
    assert not hasattr(m, "steps")
    del m.weight
    assert "weight" not in m._parameters and not hasattr(m, "weight")
    m.weight = tt.ones(1)  # a plain tensor now
    assert "weight" not in m._parameters and m.weight.item() == 1
    m.weight = w
    assert m._parameters["weight"] is w
    m._parameters = {"other": w}
    assert m.other is w and not hasattr(m, "bias")
    m.steps = tt.nn.Buffer(tt.ones(3), persistent=False)
    assert "steps" in m._buffers and "steps" in m._non_persistent_buffers_set
    m.steps = tt.nn.Parameter(tt.ones(1))
    assert "steps" not in m._buffers and "steps" in m._parameters


def test_table_methods_of_dict_reach_the_attributes():
    m = tt.nn.Module()
    p = tt.nn.Parameter(tt.ones(1))
    m._parameters.update(a=p, b=p)
    assert m.a is p and m._parameters.setdefault("c", p) is m.c
    assert m._parameters.pop("a") is p and not hasattr(m, "a")
    assert m._parameters.popitem() == ("c", p) and not hasattr(m, "c")
    m._parameters |= {"d": p}
    assert m.d is p
    m._parameters.clear()
    assert not hasattr(m, "b") and not hasattr(m, "d")


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_belong_to_themselves(copied):
    m = tt.nn.Sequential(tt.nn.ModuleList([]), tt.nn.ParameterList([tt.ones(2)]))
    c = copied(m)
    assert type(c) is type(m) and list(c.state_dict()) == list(m.state_dict())
    c[0] = tt.nn.Module()
    assert isinstance(m[0], tt.nn.ModuleList)
    assert c._modules["0"] is c[0]


def test_deepcopy_keeps_sharing_and_breaks_with_the_original():
    m = Net()
    c = copy.deepcopy(m)
    assert c.again is c.a and c.a is not m.a
    with tt.no_grad():
        c.a.weight.zero_()
    assert m.a.weight.abs().sum() > 0


def test_module_is_freed_without_the_collector():
    gc.disable()
    try:
        m = Net()
        seen = weakref.ref(m), weakref.ref(m.a)
        del m
        assert seen[0]() is None and seen[1]() is None
    finally:
        gc.enable()


def test_state_dict_shares_memory_and_loads():
    m, other = Net(), Net()
    with tt.no_grad():
        for p in other.parameters():
            p.add_(1)
    state = other.state_dict()
    assert state["a.weight"].data_ptr() == other.a.weight.data_ptr()
    assert not state["a.weight"].requires_grad
    assert other.state_dict(keep_vars=True)["a.weight"] is other.a.weight
    assert repr(m.load_state_dict(state)) == "<All keys matched successfully>"
    assert tt.equal(m.a.weight, other.a.weight)
    keys = m.load_state_dict({"a.bias": tt.ones(3), "zz": tt.ones(1)}, strict=False)
    assert keys.unexpected_keys == ["zz"] and "a.weight" in keys.missing_keys
    given = tt.full((3,), 2.0)
    m.load_state_dict({"a.bias": given}, strict=False, assign=True)
    assert m.a.bias.data_ptr() == given.data_ptr()
    assert isinstance(m.a.bias, tt.nn.Parameter) and m.a.bias.requires_grad


def test_extra_state_and_versions():
    def program(t, L, N):
        class Extra(t.nn.Module):
            _version = 3

            def get_extra_state(self):
                return {"x": 1}

            def set_extra_state(self, state):
                self.seen = state

        m = t.nn.Sequential(Extra())
        state = m.state_dict()
        m.load_state_dict(state)
        keys = m.load_state_dict({}, strict=False)
        return list(state), dict(state._metadata), m[0].seen, keys.missing_keys

    alike(program)


@pytest.mark.parametrize("how", ["double", "half", "bfloat16", "float"])
def test_conversion_keeps_the_parameters(how):
    m = Net()
    m(tt.ones(1, 2)).sum().backward()
    before = list(m.parameters())
    m.register_buffer("count", tt.zeros(1, dtype=tt.int64))
    assert getattr(m, how)() is m
    after = list(m.parameters())
    assert all(x is y for x, y in zip(before, after, strict=True))
    dtype = getattr(tt, {"double": "float64", "half": "float16"}.get(how, how), None)
    dtype = tt.float32 if how == "float" else dtype
    assert {p.dtype for p in after} == {p.grad.dtype for p in after} == {dtype}
    assert m.count.dtype == tt.int64 and m.a.steps.dtype == dtype


def test_to_takes_what_pytorchs_takes():
    m = Layer(2, 2)
    assert m.to(tt.float64).weight.dtype == tt.float64
    assert m.to("cpu", tt.float32).weight.dtype == tt.float32
    assert m.to(tt.ones(1, dtype=tt.float64)).weight.dtype == tt.float64
    assert (
        m.to(device="cpu", dtype=tt.float32, non_blocking=True).bias.dtype == tt.float32
    )
    assert m.to("meta").weight.is_meta
    assert m.to_empty(device="cpu").weight.shape == (2, 2)
    assert not m.weight.is_meta and m.weight.requires_grad


def test_modes_gradients_and_apply():
    m = Net()
    assert m.eval() is m and not m.rest[1][0].training
    assert m.train().a.training
    m.requires_grad_(False)
    assert not any(p.requires_grad for p in m.parameters())
    m.requires_grad_()
    m(tt.ones(1, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in m.parameters())
    m.zero_grad()
    assert all(p.grad is None for p in m.parameters())
    names = []
    m.apply(lambda part: names.append(type(part).__name__))
    assert names == ["Layer", "Layer", "Layer", "ModuleList", "Sequential", "Net"]


def test_containers_do_what_pytorchs_do():
    def program(t, L, N):
        a, b, c, d = (L(1, i) for i in range(1, 5))
        s = t.nn.Sequential(a, b)
        s.append(c).insert(1, d)
        s += t.nn.Sequential(b)
        out = [[x.m for x in s], [x.m for x in s[1:3]], [x.m for x in s * 2]]
        del s[0]
        out.append((list(s._modules), s.pop(-1).m, len(s)))
        s[0] = a
        out.append([x.m for x in s])
        m = t.nn.ModuleList([a, b])
        m.insert(1, c)
        m += [d]
        out.append(([x.m for x in m], [x.m for x in m[::2]], m.pop(0).m, a in m))
        del m[0]
        out.append((list(m._modules), [x.m for x in m + [a]]))
        n = t.nn.ModuleDict({"x": a})
        n.update([("y", b)])
        n["z"] = c
        out.append((list(n), n.pop("x").m, "x" in n, len(n)))
        p = t.nn.ParameterList([t.ones(1), 3])
        p.append(t.zeros(2))
        p += [t.ones(3)]
        out.append((len(p), [k for k, _ in p.named_parameters()], p[1], len(p[1:])))
        q = t.nn.ParameterDict({"b": t.ones(1), "a": t.ones(2)})
        q |= {"c": t.ones(3)}
        out.append((list(q), list(q.copy()), q.popitem()[0], q.get("zz")))
        out.append((sorted(k for k, _ in q.named_parameters()), len(q | {"n": 1})))
        return out

    alike(program)


def test_lazy_module_takes_shape_from_its_input():
    from tinytorch.nn.modules.lazy import LazyModuleMixin

    class Lazy(LazyModuleMixin, tt.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = tt.nn.UninitializedParameter()

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                self.weight.materialize((3, x.shape[-1]))
                with tt.no_grad():
                    self.weight.fill_(1)

        def forward(self, x):
            return x @ self.weight.T

    Lazy.cls_to_become = Became
    m, reader = Lazy(), Lazy()
    w = m.weight
    assert repr(w) == "<UninitializedParameter>" and m.has_uninitialized_params()
    with pytest.raises(RuntimeError, match="Can't access the shape"):
        _ = w.shape
    with pytest.raises(ValueError, match="Attempted to use an uninitialized"):
        w + 1
    assert m(tt.ones(2, 5)).tolist() == [[5.0] * 3] * 2
    assert type(m) is Became and m.weight is w and type(w) is tt.nn.Parameter
    assert not m._forward_pre_hooks
    reader.load_state_dict(m.state_dict())
    assert reader.weight.shape == (3, 5)


class Became(tt.nn.Module):
    def forward(self, x):
        return x @ self.weight.T


def test_attribute_of_any_other_kind_is_plain():
    m = tt.nn.Module()
    m.a, m.b, m.c = 1, None, [tt.ones(1)]
    m.b = 5
    m.t = tt.ones(1)
    m.t = tt.zeros(1)
    assert (m.a, m.b, m.t.item()) == (1, 5, 0.0)
    assert not m._buffers and not m._parameters
    object.__setattr__(m, "z", 3)
    assert m.z == 3


def test_mixins_before_and_after_module():
    class Mixin:
        def hello(self):
            return self.training

    class A(Mixin, tt.nn.Module):
        pass

    class B(tt.nn.Module, Mixin):
        pass

    assert copy.deepcopy(A()).hello() and copy.deepcopy(B()).hello()
