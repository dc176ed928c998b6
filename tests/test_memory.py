"""Memory: training and every op leave nothing behind, and graphs hold no cycle."""

from __future__ import annotations

import gc
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tinytorch as tt
from op_specs import SPECS
from test_ops import arrays, function_of, tensor

storage = pytest.importorskip("tinytorch._core.storage")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Turn Python's cycle collector off, after emptying it.

    What is there before the test is frozen: its own collections need not walk that.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def held() -> tuple[int, int]:
    """Return live bytes and live tensors."""
    return storage.live_bytes(), storage.live_tensors()


# ---- training loops of several kinds ----


def parameters(*shapes: tuple[int, ...]) -> list[Any]:
    return [tt.randn(shape).mul_(0.1).requires_grad_() for shape in shapes]


def update(params: list[Any]) -> None:
    """Take a step of SGD by hand."""
    with tt.no_grad():
        for p in params:
            p.sub_(p.grad, alpha=0.01)
            p.grad = None


def mlp() -> Callable[[], None]:
    w1, b1, w2 = params = parameters((8, 4), (8,), (3, 8))
    x, y = tt.randn(5, 4), tt.randint(0, 3, (5,))

    def step() -> None:
        h = tt.nn.functional.relu(tt.nn.functional.linear(x, w1, b1))
        tt.nn.functional.cross_entropy(h @ w2.t(), y).backward()
        update(params)

    return step


def create_graph() -> Callable[[], None]:
    (w,) = params = parameters((6,))

    def step() -> None:
        y = (w.sin() * w).sum()
        (g,) = tt.autograd.grad(y, w, create_graph=True)
        (y + (g * g).sum()).backward()
        update(params)

    return step


def custom_function() -> Callable[[], None]:
    class Cube(tt.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * x * x
            ctx.save_for_backward(x, y)  # also its own output
            return y

        @staticmethod
        def backward(ctx: Any, gy: Any) -> Any:
            x, _ = ctx.saved_tensors
            return 3 * x * x * gy

    (w,) = params = parameters((6,))

    def step() -> None:
        Cube.apply(w).sum().backward()
        update(params)

    return step


def in_place_views() -> Callable[[], None]:
    (w,) = params = parameters((4, 4))

    def step() -> None:
        x = w * 1
        x[1:3].mul_(2)
        x.t()[0].neg_()
        x[x > 0] = 0.5
        x.sum().backward()
        update(params)

    return step


def hooks() -> Callable[[], None]:
    (w,) = params = parameters((4,))

    def step() -> None:
        x = w * 2
        handle = x.register_hook(lambda g: g * 2)
        x.retain_grad()
        (x * x).sum().backward()
        handle.remove()
        update(params)

    return step


def graphs_dropped() -> Callable[[], None]:
    """Graphs that are built and never run backward."""
    (w,) = parameters((4, 4))

    def step() -> None:
        y = w
        for _ in range(5):
            y = (y @ w).softmax(-1)

    return step


def errors() -> Callable[[], None]:
    """Ops that raise half way."""
    (w,) = parameters((4, 4))

    def step() -> None:
        y = w.exp()
        for wrong in (
            lambda: y + tt.ones(3),
            lambda: y[7],
            lambda: y.view(5, 5),
            lambda: y.sum().backward(tt.ones(3)),
            lambda: tt.cat([y, tt.ones(4, 3)]),
        ):
            with pytest.raises((RuntimeError, IndexError)):
                wrong()

    return step


LOOPS = [mlp, create_graph, custom_function, in_place_views, hooks, graphs_dropped]


@pytest.mark.parametrize("make", LOOPS, ids=lambda make: make.__name__)
def test_training_leaves_memory_flat(
    make: Callable[[], Callable[[], None]], no_collector: None
) -> None:
    step = make()
    for _ in range(20):
        step()
    before = held()
    for _ in range(300):
        step()
    assert held() == before


@pytest.mark.slow
@pytest.mark.parametrize("make", [*LOOPS, errors], ids=lambda make: make.__name__)
def test_ten_thousand_steps_leave_memory_flat(
    make: Callable[[], Callable[[], None]], no_collector: None
) -> None:
    step = make()
    for _ in range(20):
        step()
    before, objects = held(), len(gc.get_objects())
    for _ in range(10_000):
        step()
    assert held() == before
    assert len(gc.get_objects()) - objects < 50


def test_errors_leave_memory_flat(no_collector: None) -> None:
    step = errors()
    step()
    before = held()
    for _ in range(50):
        step()
    assert held() == before


# ---- every public function ----


def repeats(spec: Any, count: int) -> None:
    """Call an op many times, forward and backward; nothing may stay behind."""
    function = function_of(spec)
    kind = spec.kinds[0]
    dtype = {"f": "float32", "i": "int64", "b": "bool"}[kind]
    inputs = [tensor(x, dtype) for x in arrays(spec, spec.inputs[0], kind)]
    if spec.grad and kind == "f":
        inputs = [x.requires_grad_() for x in inputs]

    def once() -> None:
        y = function(*inputs, **spec.kwargs)
        if spec.grad and y.requires_grad:
            tt.autograd.grad(y.sum(), inputs, allow_unused=True)

    for _ in range(100):  # fills Python's free lists
        once()
    before = held()
    blocks, counts = sys.getallocatedblocks(), [sys.getrefcount(x) for x in inputs]
    for _ in range(count):
        once()
    assert held() == before
    assert [sys.getrefcount(x) for x in inputs] == counts
    assert sys.getallocatedblocks() - blocks < 20


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_repeats_leave_nothing(spec: Any, no_collector: None) -> None:
    repeats(spec, 100)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_thousand_repeats_leave_nothing(spec: Any, no_collector: None) -> None:
    repeats(spec, 1000)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_repeats_of_the_op_database_leave_nothing(
    count: int, no_collector: None
) -> None:
    """Every other public op, by one sample of PyTorch's database each."""
    pytest.importorskip("torch")
    import opdb
    from oracle import Missing, Refused, to_tiny, translate

    leaking = []
    for name in opdb.NAMES:
        info = opdb.op_infos()[name][0]
        dtypes = [d for d in opdb.DTYPES if info.supports_dtype(d, "cpu")]
        if not dtypes:
            continue  # of complex numbers only
        sample = next(iter(info.sample_inputs("cpu", dtypes[0])), None)
        try:
            args, kwargs = to_tiny(((sample.input, *sample.args), sample.kwargs))
            function = translate(info.op)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of ops deprecated in both
                for _ in range(50):
                    function(*args, **kwargs)
        except (Missing, Refused, AttributeError, RuntimeError, TypeError, ValueError):
            continue  # test_opdb.py reports it
        gc.collect()  # empties Python's free lists
        before, blocks = held(), sys.getallocatedblocks()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(count):
                function(*args, **kwargs)
        after, cycles = held(), gc.collect()
        more = sys.getallocatedblocks() - blocks
        if cycles or after[1] != before[1] or after[0] - before[0] > 0 or more > 40:
            leaking.append((name, before, after, more, cycles))
    assert leaking == []


# ---- cycles ----


def test_graph_and_result_hold_no_cycle(no_collector: None) -> None:
    w = tt.randn(3, requires_grad=True)
    y = (w.exp() * w.tanh()).sum()
    gone = weakref.ref(y)
    del y
    assert gone() is None


def test_gradient_graph_holds_no_cycle(no_collector: None) -> None:
    w = tt.randn(3, requires_grad=True)
    before = held()
    y = (w * w * w).sum()
    (g,) = tt.autograd.grad(y, w, create_graph=True)
    del y, g
    assert held() == before


def test_user_made_cycle_is_collected() -> None:
    gc.collect()
    before = held()

    def make() -> None:
        w = tt.randn(1000, requires_grad=True)
        y = w * 2
        y.register_hook(lambda g: (y, g)[1])  # the hook holds the tensor that holds it

    make()
    gc.collect()
    assert held() == before
