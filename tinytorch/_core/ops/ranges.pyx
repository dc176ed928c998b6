"""Evenly spaced numbers: arange, range, linspace, logspace."""

from libc.math cimport ceil, isfinite
from libc.stdint cimport int64_t

from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    Driver, Kernel, Scalar, View, copy_new, fill_new, register_kernel, run, view_of)
from tinytorch._core.ops.creation cimport finish, make, read_number
from tinytorch._core.ops.elementwise cimport Number, deliver
from tinytorch._core.ops.shape cimport read_int
from tinytorch._core.tensor cimport Tensor, empty
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, BOOL, COMPUTE_F32, COMPUTE_F64, COMPUTE_I64, F16, F32, F64, FLOATS, I64,
    compute_of, dtype_of, get_default_dtype_code, is_float, parse_dtype)

__all__ = ["arange", "range", "linspace", "logspace"]

cdef extern from "sequence.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int sequence_driver(const KernelCall* call)
    void** sequence_functions
    ctypedef struct KernelCall:
        pass

tt_parallel_for = parallel_for
cdef Kernel* SEQUENCE = register_kernel(
    "sequence", <Driver>sequence_driver, sequence_functions)


cdef int put(Scalar* s, const Number* n, int compute) noexcept:
    if compute == COMPUTE_I64:
        s.i = n.i
    else:
        s.f = n.f
    return 0


cdef Tensor sequence(int64_t count, object dtype, int code, object device,
                     object layout,
                     object pin_memory, const Number* first, double step, int64_t whole,
                     const Number* last):
    """first + i step; with `last` closed, then it is exact at both ends."""
    cdef Tensor y = make(1, &count, dtype, device, layout, pin_memory, code)
    cdef Scalar[4] s
    cdef View v
    cdef int compute = compute_of[y.code]
    if compute == COMPUTE_F32 and last == NULL:
        compute = COMPUTE_F64  # i * step of many elements needs more than 24 bits
    if compute == COMPUTE_I64 and last != NULL:
        compute = COMPUTE_F64
    put(&s[0], first, compute)
    if compute == COMPUTE_I64:
        s[1].i = whole
    else:
        s[1].f = step
    s[2].f = 0
    s[3].i = last != NULL
    if last != NULL:
        put(&s[2], last, compute)
    view_of(&v, y)
    run(SEQUENCE, &v, 1, 1, s, 4, compute, y.storage.device)
    return y


def arange(start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None,
           pin_memory=False, requires_grad=False):
    """Return the numbers from start to below end in steps.

    Example:
        >>> arange(1, 7, 2).tolist()
        [1, 3, 5]
    """
    cdef Number a, b, c
    cdef double count
    cdef int code
    cdef Tensor y
    if end is None:
        start, end = 0, start
    read_number(start, &a, "arange(): argument 'start'")
    read_number(end, &b, "arange(): argument 'end'")
    read_number(step, &c, "arange(): argument 'step'")
    if dtype is None and out is not None:
        dtype = (<Tensor?>out).dtype
    code = parse_dtype(dtype, get_default_dtype_code() if FLOATS in (
        a.category, b.category, c.category) else I64)
    if code == BOOL:
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
    if c.f == 0:
        raise RuntimeError("step must be nonzero")
    if not (isfinite(a.f) and isfinite(b.f)):
        raise RuntimeError(f"unsupported range: {number_text(start)} -> "
                           f"{number_text(end)}")
    if (c.f > 0 and b.f < a.f) or (c.f < 0 and b.f > a.f):
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if code == I64:  # cuts what it is given to integers first, unlike the other dtypes
        if c.i == 0:
            raise ValueError("step must be nonzero")
        count = (b.i - a.i + c.i - (1 if c.i > 0 else -1)) // c.i
    else:
        count = ceil((b.f - a.f) / c.f)
    if not count < 9e18:
        raise RuntimeError("invalid size, possible overflow?")
    y = sequence(<int64_t>count, None, code, device, layout, pin_memory, &a, c.f, c.i,
                 NULL)
    return finish(<Tensor>deliver(y, out), requires_grad)


cdef str number_text(object value):
    return format(float(value), "g")


def range_(start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None,
           pin_memory=False, requires_grad=False):
    """Return the numbers from start to end, both included, in steps."""
    cdef Number a, b, c
    cdef int64_t count
    cdef Tensor y
    if end is None:
        raise TypeError("range() missing 1 required positional arguments: \"end\"")
    read_number(start, &a, "range(): argument 'start'")
    read_number(end, &b, "range(): argument 'end'")
    read_number(step, &c, "range(): argument 'step'")
    if c.f == 0:
        raise RuntimeError("step must be nonzero")
    if not (isfinite(a.f) and isfinite(b.f)):
        raise RuntimeError(f"unsupported range: {number_text(start)} -> "
                           f"{number_text(end)}")
    if (c.f > 0 and b.f < a.f) or (c.f < 0 and b.f > a.f):
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = <int64_t>((b.f - a.f) / c.f) + 1
    y = sequence(count, dtype, get_default_dtype_code(), device, layout, pin_memory, &a,
                 c.f, c.i, NULL)
    return finish(<Tensor>deliver(y, out), requires_grad)


cdef int64_t read_steps(object steps, str name) except -1:
    cdef int64_t count = read_int(steps, name, "steps")
    if count < 0:
        raise RuntimeError("number of steps must be non-negative")
    return count


cdef int read_ends(str name, object start, object end, int code, Number* a,
                   Number* b) except -1:
    """The first and last number, which integer dtypes cut to integers."""
    cdef int m = (<Tensor>start).rank if isinstance(start, Tensor) else 0
    cdef int n = (<Tensor>end).rank if isinstance(end, Tensor) else 0
    if m or n:
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start "
            f"with {m} dimension(s) and end with {n} dimension(s).")
    read_number(start, a, f"{name}(): argument 'start'")
    read_number(end, b, f"{name}(): argument 'end'")
    if not is_float(code):
        a.f, b.f = a.i, b.i
    return 0


cdef double step_between(const Number* a, const Number* b, int64_t count,
                         int code) except? -1:
    """The step as the dtype has it: its sequences are made of multiples of that."""
    cdef Tensor held
    cdef double step = (b.f - a.f) / (count - 1) if count > 1 else 0
    if code == F32:
        return (<float>b.f - <float>a.f) / <float>(count - 1) if count > 1 else 0
    if code != F16 and code != BF16:
        return step
    held = empty(0, NULL, code)
    fill_new(held, step, 0)
    return item(held)


def linspace(start, end, steps, *, out=None, dtype=None, layout=None, device=None,
             pin_memory=False, requires_grad=False):
    """Return `steps` evenly spaced numbers from start to end, both included.

    Example:
        >>> linspace(0, 1, 3).tolist()
        [0.0, 0.5, 1.0]
    """
    cdef Number a, b
    cdef int64_t count = read_steps(steps, "linspace")
    cdef int code = parse_dtype(dtype, (<Tensor?>out).code if out is not None
                                else get_default_dtype_code())
    cdef double step
    read_ends("linspace", start, end, code, &a, &b)
    if count == 1:
        b = a
    step = step_between(&a, &b, count, code)
    return finish(<Tensor>deliver(
        sequence(count, None, code, device, layout, pin_memory, &a, step, 0, &b), out),
        requires_grad)


def logspace(start, end, steps, base=10.0, *, out=None, dtype=None, layout=None,
             device=None, pin_memory=False, requires_grad=False):
    """Return base ** linspace(start, end, steps)."""
    cdef Number a, b
    cdef int64_t count = read_steps(steps, "logspace")
    cdef int code = parse_dtype(dtype, (<Tensor?>out).code if out is not None
                                else get_default_dtype_code())
    cdef Tensor powers, y
    read_ends("logspace", start, end, code, &a, &b)
    powers = <Tensor?>(float(base) ** linspace(
        a.f, b.f, count, dtype=dtype_of(F64), layout=layout, pin_memory=pin_memory,
        device=device))
    y = make(1, powers.sizes, None, device, None, False, code)
    copy_new(y, powers)
    return finish(<Tensor>deliver(y, out), requires_grad)


globals()["range"] = range_  # here the name means Python's
range_.__name__ = "range"
