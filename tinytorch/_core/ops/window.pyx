"""What ops with windows share: integers per axis, and calls in a compute type."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from tinytorch._core.executor cimport Kernel, Scalar, View, copy_into, run, view_of
from tinytorch._core.ops.shape cimport contiguous, dtype_word, read_int
from tinytorch._core.tensor cimport Tensor, empty_as, is_contiguous, size_of
from tinytorch._core.types cimport F32, F64, I64, compute_of

cdef enum:
    MOST_AXES = 8


# ---- arguments ----

cdef int read_each(object value, int64_t* to, str op, str name) except -1:
    cdef int n = 0
    if type(value) is int:
        to[0] = value
        return 0
    if not isinstance(value, (tuple, list)):
        to[0] = read_int(value, op, name)
        return 0
    if len(value) > MOST_AXES:
        raise RuntimeError(f"{op}: {name} has {len(value)} elements")
    for number in value:
        to[n] = number if type(number) is int else read_int(number, op, name)
        n += 1
    return n


cdef int read_axes(object value, int64_t* to, int dims, str op, str name) except -1:
    cdef int64_t[MOST_AXES] numbers
    cdef int i
    cdef bint bare = not isinstance(value, (tuple, list))
    cdef int n = read_each(value, numbers, op, name)
    if bare or n == 1:
        for i in range(dims):
            to[i] = numbers[0]
        return 0
    if n != dims:
        return 1
    for i in range(dims):
        to[i] = numbers[i]
    return 0


cdef str listed(int n, const int64_t* numbers):
    cdef int i
    return str([numbers[i] for i in range(n)])


cdef str sizes_text(Tensor x):
    return str(list(size_of(x)))


cdef bytes packed(int n, const int64_t* numbers):
    return PyBytes_FromStringAndSize(<const char*>numbers, n * sizeof(int64_t))


cdef int refuse_dtype(str kernel, int code) except -1:
    raise NotImplementedError(f'"{kernel}" not implemented for \'{dtype_word(code)}\'')


# ---- calls ----

cdef int compute_code(int code) noexcept nogil:
    cdef int compute = compute_of[code]
    return F32 if compute == 0 else F64 if compute == 1 else I64


cdef Tensor operand(Tensor x, int code):
    cdef Tensor y
    if x.code == code:
        return x if is_contiguous(x) else contiguous(x)
    y = empty_as(x, code)
    copy_into(y, x)
    return y


cdef int launch(const Kernel* kernel, Tensor y, Tensor a, Tensor b, Tensor c,
                const Scalar* s, int scalars, int floats=3) except -1:
    cdef View[4] v
    cdef int code = compute_code(y.code), n = 2
    cdef Tensor target = y if y.code == code else empty_as(y, code)
    a = operand(a, code if floats > 0 else a.code)
    view_of(&v[0], target)
    view_of(&v[1], a)
    if b is not None:
        b = operand(b, code if floats > 1 else b.code)
        view_of(&v[2], b)
        n = 3
    if c is not None:
        c = operand(c, code if floats > 2 else c.code)
        view_of(&v[n], c)
        n += 1
    run(kernel, v, n, 1, s, scalars, compute_of[code], y.storage.device)
    if target is not y:
        copy_into(y, target)
    return 0
