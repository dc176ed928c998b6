"""Optimizer steps, norms, scaling, clamping of lists of tensors, each one kernel call.

These write their tensors in place and record no graph: they are what `torch.optim` and
the clipping of gradients are made of.  Which scalars a step takes stands in
optim_schedules.h, or in optim_steps.h for steps that count nothing.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_Append, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc

from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, pause_recording,
    register_kernel, resume_recording, run, tt_parallel_for, view_of)
from tinytorch._core.ops.shape cimport contiguous
from tinytorch._core.tensor cimport (
    Tensor, data, empty_beside, is_contiguous, same_shape, size_of, wrote)
from tinytorch._core.storage cimport CPU
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    COMPUTE_F32, COMPUTE_F64, F32, F64, compute_of, is_float, promote)

__all__ = []

ctypedef void** Loops

cdef extern from "Python.h":
    PyObject* PyTuple_GET_ITEM(tuple t, Py_ssize_t i)   # borrowed

cdef extern from *:
    """
    #include "multi_step.h"
    #define none_schedule 0
    TT_STEP_LOOPS(sgd, none) TT_STEP_LOOPS(sgd_momentum, none) TT_STEP_LOOPS(lion, none)
    TT_STEP_LOOPS(adam, adam) TT_STEP_LOOPS(adam_amsgrad, adam)
    TT_STEP_LOOPS(adamax, adamax) TT_STEP_LOOPS(nadam, nadam)
    TT_STEP_LOOPS(radam, radam) TT_STEP_LOOPS(asgd, asgd)
    TT_STEP_LOOPS(adagrad, adagrad) TT_STEP_LOOPS(adadelta, count)
    TT_STEP_LOOPS(rprop, count) TT_STEP_LOOPS(rmsprop, count)
    TT_STEP_LOOPS(rmsprop_momentum, count) TT_STEP_LOOPS(rmsprop_centered, count)
    TT_STEP_LOOPS(rmsprop_centered_momentum, count)
    """
    Loops sgd_loops, sgd_momentum_loops, adam_loops, adam_amsgrad_loops, lion_loops
    Loops rmsprop_loops, rmsprop_momentum_loops, rmsprop_centered_loops
    Loops rmsprop_centered_momentum_loops, adagrad_loops, adadelta_loops, adamax_loops
    Loops nadam_loops, radam_loops, asgd_loops, rprop_loops
    int multi_step_driver(const KernelCall* call) noexcept nogil
    int multi_zero_driver(const KernelCall* call) noexcept nogil
    int multi_scale_driver(const KernelCall* call) noexcept nogil
    int multi_clamp_driver(const KernelCall* call) noexcept nogil
    int multi_norm_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef enum:
    MOST_STEPS = 16
    MOST_SCALARS = 12   # TT_STEP_SCALARS of optim_schedules.h
    MOST_STATES = 6     # with the counts
    ON_STACK = 64       # views; more are on the heap

cdef struct Step:
    const Kernel* kernel
    int states, counts, scalars

cdef Step[MOST_STEPS] steps
cdef dict step_numbers = {}
cdef list step_names = []   # of each step: its states, then its counts
cdef list texts = []        # owns the names that kernels point at


cdef int define(str kind, Loops loops, tuple states, tuple counts, int scalars,
                double flops) except -1:
    cdef int k = len(step_numbers)
    cdef bytes name = f"{kind}_step".encode()
    texts.append(name)
    step_numbers[kind] = k
    step_names.append(states + counts)
    steps[k].kernel = register_kernel(
        name, <Driver>multi_step_driver, loops,
        2 + len(states) + len(counts) | len(counts) << 8, flops)
    steps[k].states = len(states)
    steps[k].counts = len(counts)
    steps[k].scalars = scalars
    return 0


# The states have the names that torch.optim gives them in its state dicts.
STEP = ("step",)
ADAM = ("exp_avg", "exp_avg_sq")
define("sgd", sgd_loops, (), (), 3, 4)
define("sgd_momentum", sgd_momentum_loops, ("momentum_buffer",), (), 6, 8)
define("lion", lion_loops, ("exp_avg",), (), 8, 12)
define("adam", adam_loops, ADAM, STEP, 7, 16)
define("adam_amsgrad", adam_amsgrad_loops, ADAM + ("max_exp_avg_sq",), STEP, 7, 17)
define("adamax", adamax_loops, ("exp_avg", "exp_inf"), STEP, 6, 12)
define("nadam", nadam_loops, ADAM, ("step", "mu_product"), 8, 18)
define("radam", radam_loops, ADAM, STEP, 7, 18)
define("asgd", asgd_loops, ("ax",), ("step", "eta", "mu"), 6, 9)
define("adagrad", adagrad_loops, ("sum",), STEP, 5, 9)
define("adadelta", adadelta_loops, ("square_avg", "acc_delta"), STEP, 6, 15)
define("rprop", rprop_loops, ("prev", "step_size"), STEP, 7, 8)
define("rmsprop", rmsprop_loops, ("square_avg",), STEP, 6, 10)
define("rmsprop_momentum", rmsprop_momentum_loops, ("square_avg", "momentum_buffer"),
       STEP, 7, 12)
define("rmsprop_centered", rmsprop_centered_loops, ("square_avg", "grad_avg"), STEP, 6,
       14)
define("rmsprop_centered_momentum", rmsprop_centered_momentum_loops,
       ("square_avg", "grad_avg", "momentum_buffer"), STEP, 7, 16)

cdef Kernel* ZERO = register_kernel("multi_zero", <Driver>multi_zero_driver, NULL, 1)
cdef Kernel* SCALE = register_kernel(
    "multi_scale", <Driver>multi_scale_driver, NULL, 1, 1)
cdef Kernel* CLAMP = register_kernel(
    "multi_clamp", <Driver>multi_clamp_driver, NULL, 1, 2)
cdef Kernel* NORM = register_kernel("multi_norm", <Driver>multi_norm_driver, NULL, 1, 2)


# ---- lists of tensors as operands ----

cdef inline Tensor at(list tensors, Py_ssize_t i):
    return <Tensor?><object>PyList_GET_ITEM(tensors, i)


cdef inline Tensor flat(Tensor x, list copies):
    """x, or a contiguous copy that `write_back` carries home."""
    cdef Tensor y
    if is_contiguous(x):
        return x
    y = contiguous(x)
    copies.append((x, y))
    return y


cdef int write_back(list copies) except -1:
    for x, y in copies:
        copy_into(<Tensor>x, <Tensor>y)
    return 0


cdef int check_gradient(Tensor w, Tensor g) except -1:
    if not same_shape(w, g):
        raise RuntimeError(f"a gradient of size {list(size_of(g))} belongs to a "
                           f"parameter of size {list(size_of(w))}")
    if not is_float(w.code) or not is_float(g.code):
        raise RuntimeError("optimizers need parameters and gradients of a float dtype")
    return 0


# ---- steps ----

def _optimizer_step(str kind not None, dict group not None, state, scalars not None,
                    start):
    """Take one step with all parameters that have a gradient, in place, in one call.

    Args:
        kind: "sgd", "adam", ...: the loops of optim_steps.h.
        group: the parameter group.
        state: {parameter: {name: tensor}}, with the names that `define` lists above.
        scalars: the optimizer's numbers, which the kernel's schedule reads; or a
            contiguous float64 tensor of them, read again at each replay.
        start: called with a parameter that has no states yet and its group; returns
            the states as a dict, or None to leave the parameter out.  Not recorded.
    """
    cdef Scalar[MOST_SCALARS] s
    cdef Tensor numbers = None
    cdef list narrow = [], wide = []
    cdef Step* step
    cdef Py_ssize_t k
    number = step_numbers.get(kind)
    if number is None:
        raise ValueError(f"unknown optimizer step {kind!r}")
    step = &steps[<int>number]
    if isinstance(scalars, Tensor):
        numbers = scalars
        if numbers.code != F64 or not is_contiguous(numbers):
            raise TypeError("scalars must be contiguous and of float64")
        k = numbers.count
    else:
        k = len(<tuple?>scalars)
    if k != step.scalars:
        raise ValueError(f"{kind} takes {step.scalars} scalars, not {k}")
    if numbers is None:
        for k in range(step.scalars):
            s[k].f = (<tuple>scalars)[k]
    gather(step, <tuple>step_names[<int>number], group, state, start, narrow, wide)
    if narrow:
        run_step(step, narrow, s, numbers, COMPUTE_F32)
    if wide:
        run_step(step, wide, s, numbers, COMPUTE_F64)


def _write_scalars(Tensor y not None, tuple scalars not None):
    """Fill a float64 tensor with the scalars of a step, as each replay wants it."""
    cdef Py_ssize_t i
    if y.code != F64 or not is_contiguous(y) or y.count != len(scalars):
        raise TypeError("scalars must be contiguous and of float64")
    if y.storage.device != CPU:
        raise NotImplementedError("steps on a device are not captured yet")
    for i in range(len(scalars)):
        (<double*>data(y))[i] = scalars[i]
    wrote(y)


cdef int gather(const Step* step, tuple names, dict group, state, start, list narrow,
                list wide) except -1:
    """List what belongs to each parameter with a gradient, by type of calculation:
    the parameter, its states, its counts, its gradient."""
    cdef Py_ssize_t i
    cdef int k
    cdef PyObject* kept[MOST_STATES]
    cdef Tensor w, x
    cdef list found
    cdef PyObject* entry
    params = group["params"]
    if type(params) is not list:
        params = list(params)
    for i in range(PyList_GET_SIZE(<list>params)):
        w = at(<list>params, i)
        if w.gradient is None:
            continue
        check_gradient(w, w.gradient)
        found = narrow if compute_of[w.code] == COMPUTE_F32 else wide
        if PyTuple_GET_SIZE(names) == 0:
            PyList_Append(found, w)
            PyList_Append(found, w.gradient)
            continue
        entry = PyDict_GetItemWithError(state, w)
        if entry == NULL or not look_up(<dict?><object>entry, names, kept):
            own = made(start, w, group)
            if own is None:
                continue
            if not look_up(own, names, kept):
                raise KeyError(f"a parameter's state lacks some of {names}")
        PyList_Append(found, w)
        for k in range(PyTuple_GET_SIZE(names)):
            x = <Tensor?><object>kept[k]
            if k < step.states:
                if not same_shape(x, w):
                    raise RuntimeError(f"{names[k]} has size {list(size_of(x))}, its "
                                       f"parameter {list(size_of(w))}")
            elif x.count != 1 or x.code != F32 and x.code != F64:
                raise RuntimeError(f"{names[k]} must be one float32 or float64 number")
            PyList_Append(found, x)
        PyList_Append(found, w.gradient)
    return 0


cdef inline bint look_up(dict own, tuple names, PyObject** kept) except -1:
    """Fetch the states of those names; False if some are still to be made."""
    cdef Py_ssize_t k
    for k in range(PyTuple_GET_SIZE(names)):
        kept[k] = PyDict_GetItemWithError(
            own, <object>PyTuple_GET_ITEM(names, k))
        if kept[k] == NULL or <object>kept[k] is None:
            return False
    return True


cdef object made(start, Tensor w, dict group):
    """New states; a replay must not make them again."""
    cdef bint paused = pause_recording()
    try:
        return start(w, group)
    finally:
        resume_recording(paused)


cdef int run_step(const Step* step, list tensors, const Scalar* s, Tensor numbers,
                  int compute) except -1:
    """Make the call: tensors come parameter by parameter, operands kind by kind."""
    cdef View[ON_STACK] small
    cdef View* v = small
    cdef list copies = [], kept = []  # contiguous copies: of outputs, of gradients
    cdef int k, per = 2 + step.states + step.counts
    cdef Py_ssize_t i, n = PyList_GET_SIZE(tensors) // per
    cdef int device = at(tensors, 0).storage.device
    cdef Tensor x
    if n * per + 1 > ON_STACK:
        v = <View*>malloc((n * per + 1) * sizeof(View))
        if v == NULL:
            raise MemoryError()
    try:
        for i in range(n):
            for k in range(per):
                x = at(tensors, i * per + k)
                if x.storage.device != device:
                    raise RuntimeError("parameters of one step must be on one device")
                view_of(&v[k * n + i], flat(x, copies if k < per - 1 else kept))
        if numbers is not None:
            view_of(&v[n * per], numbers)
        run(step.kernel, v, n * per + (numbers is not None), n * (per - 1), s,
            0 if numbers is not None else step.scalars, compute, device)
    finally:
        if v != small:
            free(v)
    for i in range(n):
        for k in range(per - 1):
            wrote(at(tensors, i * per + k))
    return write_back(copies)


# ---- zeroing, scaling, clamping, norms ----

cdef int over_list(const Kernel* kernel, list tensors, list more, int outputs,
                   const Scalar* s, int scalars, int compute, list copies) except -1:
    """Run a call over the tensors and `more`, which for norms is the output."""
    cdef Py_ssize_t i, at_ = 0, n = PyList_GET_SIZE(tensors)
    cdef View* v = <View*>malloc((n + 2) * sizeof(View))
    cdef Tensor x
    if v == NULL:
        raise MemoryError()
    try:
        if kernel == NORM:
            view_of(&v[0], <Tensor>more[0])
            at_ = 1
        for i in range(n):
            x = at(tensors, i)
            view_of(&v[at_], flat(x, copies))
            at_ += 1
        if kernel != NORM:
            for i in range(len(more)):
                view_of(&v[at_], <Tensor>more[i])
                at_ += 1
        x = at(tensors, 0)
        run(kernel, v, at_, outputs, s, scalars, compute, x.storage.device)
    finally:
        free(v)
    return 0


cdef list of_type(list tensors, int compute):
    return [x for x in tensors if compute_of[(<Tensor?>x).code] == compute]


def _multi_tensor_clear(list params not None):
    """Set the gradient of every parameter to None."""
    cdef Py_ssize_t i
    for i in range(PyList_GET_SIZE(params)):
        at(params, i).gradient = None


def _multi_tensor_zero(list tensors not None):
    """Set all elements of all tensors to zero, in one call."""
    cdef list copies = []
    cdef Tensor x
    if not tensors:
        return
    x = at(tensors, 0)
    over_list(ZERO, tensors, [], len(tensors), NULL, 0, compute_of[x.code], copies)
    for x in tensors:
        wrote(x)
    write_back(copies)


def _multi_tensor_scale(list tensors not None, Tensor factor not None, found=None):
    """Multiply all tensors by the 0-d tensor `factor`, in place.

    Args:
        found: a tensor of one element that is set to 1 if a result is not finite.
    """
    cdef list copies = [], group
    cdef Scalar n
    cdef Tensor x
    cdef int compute
    if factor.count != 1 or found is not None and (<Tensor?>found).count != 1:
        raise ValueError("factor and found must have one element")
    for compute in range(2):
        group = of_type(tensors, compute)
        if not group:
            continue
        n.i = len(group)
        over_list(SCALE, group, [factor] if found is None else [factor, found],
                  len(group), &n, 1, compute, copies)
        for x in group:
            wrote(x)
    if found is not None:
        wrote(<Tensor>found)
    write_back(copies)


def _multi_tensor_clamp(list tensors not None, double low, double high):
    """Clamp the elements of all tensors to [low, high], in place."""
    cdef list copies = [], group
    cdef Scalar[2] s
    cdef Tensor x
    cdef int compute
    s[0].f, s[1].f = low, high
    for compute in range(2):
        group = of_type(tensors, compute)
        if group:
            over_list(CLAMP, group, [], len(group), s, 2, compute, copies)
            for x in group:
                wrote(x)
    write_back(copies)


def _multi_tensor_norm(list tensors not None, double order=2.0):
    """Return the norm of all elements of all tensors as one vector, a 0-d tensor."""
    cdef list copies = []
    cdef Tensor x, y
    cdef Scalar s
    cdef int code
    if not tensors:
        raise ValueError("the norm of no tensors has no dtype")
    if order == -INFINITY:
        raise NotImplementedError("the norm of order -inf is not supported for lists")
    code = at(tensors, 0).code
    for x in tensors:
        if not is_float(x.code):
            raise RuntimeError("norms need tensors of a float dtype")
        code = promote(code, x.code)
    y = empty_beside(at(tensors, 0), 0, NULL, code)
    s.f = order
    over_list(NORM, tensors, [y], 1, &s, 1, compute_of[code], copies)
    return y
