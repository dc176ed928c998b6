"""Settings without effect are kept as PyTorch keeps them; so are wrappers for GPUs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import tinytorch as tt

torch = pytest.importorskip("torch")


def deterministic(t: Any) -> tuple[Any, ...]:
    return (
        t.are_deterministic_algorithms_enabled(),
        t.is_deterministic_algorithms_warn_only_enabled(),
        t.get_deterministic_debug_mode(),
    )


def after(t: Any, setting: Callable[[], Any], question: Callable[[], Any]) -> Any:
    """Return what is answered once something is set, or the error."""
    try:
        setting()
    except Exception as error:
        return type(error).__name__, str(error).replace("tinytorch", "torch")
    return question()


def modes(t: Any) -> list[Any]:
    found = [
        after(t, lambda v=v: t.use_deterministic_algorithms(v),
              lambda: deterministic(t))
        for v in (True, False, 1, None)
    ]
    for on in (True, False):
        t.use_deterministic_algorithms(on, warn_only=True)
        found.append(deterministic(t))
    values = (1, 2, "warn", "error", "default", 3, "x", 1.0, None, 0)
    found += [
        after(t, lambda v=v: t.set_deterministic_debug_mode(v),
              lambda: deterministic(t))
        for v in values
    ]
    return found


def precisions(t: Any) -> list[Any]:
    found: list[Any] = [t.get_float32_matmul_precision()]
    for value in ("high", "medium", "highest", 1):
        found.append(after(
            t, lambda v=value: t.set_float32_matmul_precision(v),
            lambda: (t.get_float32_matmul_precision(),
                     t.backends.cuda.matmul.allow_tf32)))
    t.backends.cuda.matmul.allow_tf32 = True
    found.append(t.get_float32_matmul_precision())
    t.backends.cuda.matmul.allow_tf32 = False
    return [*found, t.get_float32_matmul_precision()]


def default_types(t: Any) -> list[Any]:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated
        for kind in ("torch.DoubleTensor", t.FloatTensor, t.LongTensor, t.float64,
                     "torch.HalfTensor", t.FloatTensor):
            found.append(after(t, lambda k=kind: t.set_default_tensor_type(k),
                               lambda: str(t.get_default_dtype())))
    return found


def attention(t: Any) -> list[Any]:
    tools, cuda = import_module(f"{t.__name__}.nn.attention"), t.backends.cuda

    def allowed() -> tuple[bool, ...]:
        return (cuda.flash_sdp_enabled(), cuda.math_sdp_enabled(),
                cuda.mem_efficient_sdp_enabled(), cuda.cudnn_sdp_enabled())

    kinds = tools.SDPBackend
    found: list[Any] = [allowed(), {name: k.value for name, k in
                                    kinds.__members__.items()}, repr(kinds.MATH)]
    q = t.ones(1, 1, 2, 2)
    for chosen in (kinds.MATH, [kinds.MATH, kinds.FLASH_ATTENTION], None):
        def inside(chosen: Any = chosen) -> Any:
            with tools.sdpa_kernel(chosen):
                y = t.nn.functional.scaled_dot_product_attention(q, q, q)
                return allowed(), y.tolist()

        found.append(after(t, inside, allowed))
    found.append(tools.sdpa_kernel(kinds.MATH)(allowed)())
    cuda.enable_flash_sdp(False)
    found.append(allowed())
    cuda.enable_flash_sdp(True)
    with pytest.warns(FutureWarning, match="sdp_kernel"), cuda.sdp_kernel(
        enable_flash=False, enable_mem_efficient=False
    ):
        found.append(allowed())
    return [*found, allowed()]


def cudnn(t: Any) -> list[Any]:
    tools = import_module(f"{t.__name__}.backends.cudnn")
    names = ("enabled", "benchmark", "deterministic", "allow_tf32")

    def now() -> list[Any]:
        return [getattr(tools, name) for name in names]

    found = [now(), tools.is_available(), tools.version()]
    with tools.flags(enabled=False, deterministic=True):
        found.append(now())
    return [*found, now()]


def odds(t: Any) -> list[Any]:
    found = [
        after(t, lambda v=v: t.set_warn_always(v), t.is_warn_always_enabled)
        for v in (True, 1, False)
    ]
    found += [after(t, lambda v=v: t.set_num_interop_threads(v), int) for v in (0, "x")]
    found.append(t.set_flush_denormal(False))
    found.append(after(t, lambda: t.set_flush_denormal(1), int))
    places = ("mps", "cuda", "opt_einsum")
    found += [getattr(t.backends, p).is_built() for p in places[:2]]
    with t.autograd.detect_anomaly(check_nan=False):
        return [*found, t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()]


SUBJECTS = [modes, precisions, default_types, attention, cudnn, odds]


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda f: f.__name__)
def test_settings_are_kept(subject: Callable[[Any], Any]) -> None:
    expected, actual = subject(torch), subject(tt)
    assert actual == expected


def test_flags_of_cudnn_are_set_one_by_one() -> None:
    import tinytorch.backends.cudnn as cudnn

    cudnn.benchmark = True
    try:
        assert tt.backends.cudnn.benchmark is True
        with cudnn.flags():
            assert cudnn.benchmark is False and cudnn.benchmark_limit == 10
        assert cudnn.benchmark is True and cudnn.benchmark_limit is None
    finally:
        cudnn.benchmark = False


def test_unknown_precision_warns() -> None:
    with pytest.warns(UserWarning, match="x is not one of 'highest', 'high'"):
        tt.set_float32_matmul_precision("x")
    assert tt.get_float32_matmul_precision() == "highest"


def test_interop_threads_are_noted() -> None:
    assert tt.get_num_interop_threads() == 1
    tt.set_num_interop_threads(3)
    assert tt.get_num_interop_threads() == 3
    tt.set_num_interop_threads(1)


@pytest.mark.parametrize("name", ["mkl", "mkldnn", "mps", "openmp", "opt_einsum"])
def test_no_back_end_is_there(name: str) -> None:
    place = import_module(f"tinytorch.backends.{name}")
    assert place.is_available() is False
    assert getattr(tt.backends, name) is place


# ---- wrappers ----


def test_data_parallel_without_gpus() -> None:
    def program(t: Any) -> Any:
        t.manual_seed(0)
        m = t.nn.DataParallel(t.nn.Sequential(t.nn.Linear(3, 2), t.nn.Dropout()))
        x = t.ones(4, 3)
        y = m(x)
        y.sum().backward()
        refused = after(t, lambda: t.nn.parallel.data_parallel(m.module, (x,)), int)
        return (repr(m), list(m.state_dict()), m.device_ids, y.tolist(),
                m.module[0].weight.grad.tolist(), refused, t.rand(1).item())

    assert program(tt) == program(torch)


def test_factory_kwargs() -> None:
    def program(t: Any) -> Any:
        made = t.nn.factory_kwargs
        return [
            made(None), made({}), made({"dtype": 1, "device": "cpu"}),
            made({"factory_kwargs": {"dtype": 2}, "device": "cpu"}),
            after(t, lambda: made({"size": 1}), int)[0],
            after(t, lambda: made({"dtype": 1, "factory_kwargs": {"dtype": 2}}),
                  int)[0],
        ]

    assert program(tt) == program(torch)
