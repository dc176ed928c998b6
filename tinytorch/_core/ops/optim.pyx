"""Optimizer steps, norms and scaling over lists of tensors, each in one kernel call.

These write their tensors in place and record no graph: they are what `torch.optim` and
`clip_grad_norm_` are made of.  Which scalars a step takes stands in optim_steps.h.
"""

from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.shape cimport contiguous
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, is_contiguous, same_shape, size_of, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport F64, compute_of, is_float, promote

__all__ = []

ctypedef void** Loops

cdef extern from *:
    """
    #include "multi_tensor.h"
    TT_FLOAT_LOOPS(sgd) TT_FLOAT_LOOPS(sgd_momentum) TT_FLOAT_LOOPS(adam)
    TT_FLOAT_LOOPS(adam_amsgrad) TT_FLOAT_LOOPS(lion) TT_FLOAT_LOOPS(rmsprop)
    TT_FLOAT_LOOPS(rmsprop_momentum) TT_FLOAT_LOOPS(rmsprop_centered)
    TT_FLOAT_LOOPS(rmsprop_centered_momentum) TT_FLOAT_LOOPS(adagrad)
    TT_FLOAT_LOOPS(adadelta) TT_FLOAT_LOOPS(adamax) TT_FLOAT_LOOPS(nadam)
    TT_FLOAT_LOOPS(radam)
    """
    Loops sgd_loops, sgd_momentum_loops, adam_loops, adam_amsgrad_loops, lion_loops
    Loops rmsprop_loops, rmsprop_momentum_loops, rmsprop_centered_loops
    Loops rmsprop_centered_momentum_loops, adagrad_loops, adadelta_loops, adamax_loops
    Loops nadam_loops, radam_loops
    int multi_step_driver(const KernelCall* call) noexcept nogil
    int multi_zero_driver(const KernelCall* call) noexcept nogil
    int multi_scale_driver(const KernelCall* call) noexcept nogil
    int multi_norm_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef enum:
    MOST_STEPS = 16
    MOST_SCALARS = 16
    ON_STACK = 64       # views; more are on the heap

cdef struct Step:
    const Kernel* kernel
    int states, scalars

cdef Step[MOST_STEPS] steps
cdef dict step_numbers = {}
cdef list texts = []    # owns the names that kernels point at


cdef int define(str kind, Loops loops, int states, int scalars, double flops) except -1:
    cdef int k = len(step_numbers)
    cdef bytes name = f"{kind}_step".encode()
    texts.append(name)
    step_numbers[kind] = k
    steps[k].kernel = register_kernel(
        name, <Driver>multi_step_driver, loops, 2 + states, flops)
    steps[k].states = states
    steps[k].scalars = scalars
    return 0


define("sgd", sgd_loops, 0, 3, 4)
define("sgd_momentum", sgd_momentum_loops, 1, 6, 8)
define("adam", adam_loops, 2, 9, 16)
define("adam_amsgrad", adam_amsgrad_loops, 3, 9, 17)
define("lion", lion_loops, 1, 8, 12)
define("rmsprop", rmsprop_loops, 1, 6, 10)
define("rmsprop_momentum", rmsprop_momentum_loops, 2, 7, 12)
define("rmsprop_centered", rmsprop_centered_loops, 2, 6, 14)
define("rmsprop_centered_momentum", rmsprop_centered_momentum_loops, 3, 7, 16)
define("adagrad", adagrad_loops, 1, 4, 9)
define("adadelta", adadelta_loops, 2, 6, 15)
define("adamax", adamax_loops, 2, 6, 12)
define("nadam", nadam_loops, 2, 10, 18)
define("radam", radam_loops, 2, 11, 18)

cdef Kernel* ZERO = register_kernel("multi_zero", <Driver>multi_zero_driver, NULL, 1)
cdef Kernel* SCALE = register_kernel(
    "multi_scale", <Driver>multi_scale_driver, NULL, 1, 1)
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
        if x is not None:
            copy_into(<Tensor>x, <Tensor>y)
    return 0


cdef inline Tensor gradient_of(Tensor w, list grads, Py_ssize_t i):
    return w.gradient if grads is None else at(grads, i)


cdef int check_gradient(Tensor w, Tensor g) except -1:
    if not same_shape(w, g):
        raise RuntimeError(f"a gradient of size {list(size_of(g))} belongs to a "
                           f"parameter of size {list(size_of(w))}")
    if not is_float(w.code) or not is_float(g.code):
        raise RuntimeError("optimizers need parameters and gradients of a float dtype")
    return 0


# ---- steps ----

def _multi_tensor(str kind not None, list params not None, list grads,
                  list states not None, scalars):
    """Take one optimizer step with all parameters at once, in place.

    Args:
        kind: "sgd", "adam", ...: the loops of optim_steps.h.
        grads: gradients; None takes each parameter's own and skips those without.
        states: lists like `params`, as many as the step keeps.
        scalars: numbers, or a float64 tensor of them that is read at each replay.
    """
    cdef Scalar[MOST_SCALARS] s
    cdef Tensor numbers = None
    cdef Step* step
    cdef Py_ssize_t k, n = PyList_GET_SIZE(params)
    number = step_numbers.get(kind)
    if number is None:
        raise ValueError(f"unknown optimizer step {kind!r}")
    step = &steps[<int>number]
    if len(states) != step.states:
        raise ValueError(f"{kind} keeps {step.states} states, not {len(states)}")
    for k in range(step.states):
        if len(<list?>states[k]) != n:
            raise ValueError(f"{kind}: {n} parameters but {len(states[k])} states")
    if grads is not None and PyList_GET_SIZE(grads) != n:
        raise ValueError(f"{kind}: {n} parameters but {len(grads)} gradients")
    if len(scalars) != step.scalars:
        raise ValueError(f"{kind} takes {step.scalars} scalars, not {len(scalars)}")
    if isinstance(scalars, Tensor):
        numbers = scalars
        if numbers.code != F64 or not is_contiguous(numbers):
            raise TypeError("scalars must be contiguous and of float64")
    else:
        for k in range(step.scalars):
            s[k].f = scalars[k]
    take_steps(step, params, grads, states, s, numbers)


cdef int take_steps(const Step* step, list params, list grads, list states,
                    const Scalar* s, Tensor numbers) except -1:
    """One call for each compute type that occurs."""
    cdef View[ON_STACK] small
    cdef View* v = small
    cdef Py_ssize_t n = PyList_GET_SIZE(params)
    cdef int64_t views = n * step.kernel.flags + 1
    if views > ON_STACK:
        v = <View*>malloc(views * sizeof(View))
        if v == NULL:
            raise MemoryError()
    try:
        for compute in range(2):
            step_of_type(step, params, grads, states, s, numbers, v, compute)
    finally:
        if v != small:
            free(v)
    return 0


cdef int step_of_type(const Step* step, list params, list grads, list states,
                      const Scalar* s, Tensor numbers, View* v, int compute) except -1:
    cdef list copies = []
    cdef Py_ssize_t i, j = 0, k, m = 0, n = PyList_GET_SIZE(params)
    cdef int outputs = 1 + step.states
    cdef Tensor w, g, x, first = None
    for i in range(n):
        w = at(params, i)
        g = gradient_of(w, grads, i)
        if g is not None and compute_of[w.code] == compute:
            check_gradient(w, g)
            m += 1
            first = w
    if m == 0:
        return 0
    for i in range(n):
        w = at(params, i)
        g = gradient_of(w, grads, i)
        if g is None or compute_of[w.code] != compute:
            continue
        if w.storage.device != first.storage.device:
            raise RuntimeError("parameters of one step must be on one device")
        view_of(&v[j], flat(w, copies))
        for k in range(step.states):
            x = at(<list>states[k], i)
            if not same_shape(x, w):
                raise RuntimeError("a state differs in shape from its parameter")
            view_of(&v[(1 + k) * m + j], flat(x, copies))
        if not is_contiguous(g):
            g = contiguous(g)
            copies.append((None, g))  # only kept until the call
        view_of(&v[outputs * m + j], g)
        j += 1
    j = (outputs + 1) * m
    if numbers is not None:
        view_of(&v[j], numbers)
        j += 1
    run(step.kernel, v, j, outputs * m, s, 0 if numbers is not None else step.scalars,
        compute, first.storage.device)
    for i in range(n):
        w = at(params, i)
        if gradient_of(w, grads, i) is not None and compute_of[w.code] == compute:
            wrote(w)
            for k in range(step.states):
                wrote(at(<list>states[k], i))
    if copies:
        write_back(copies)
    return 0


# ---- zeroing, scaling, norms ----

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
