"""Choosing by a condition and limiting to bounds: where and clamp."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, grad_mode, link_fitted, needs_grad, new_node, rebase,
    save, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, Scalar, View, copy_into, immediate, pointwise, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.compare cimport (
    c_ge, c_ge_number, c_gt, c_le, c_le_number, c_logical_and, c_logical_or, c_lt,
    narrow)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, as_number, binary, broadcast_with, code_with_number,
    code_with_tensor, deliver, number_of_float, same_device, take_result, ternary,
    unary)
from tinytorch._core.ops.pointwise cimport (
    Loops, describe_twins, refuse_dtype, save_input)
from tinytorch._core.ops.shape cimport dtype_word
from tinytorch._core.tensor cimport Tensor, empty, empty_as, wrote
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BOOL, BOOLS, F64, FLOATS, I64, MAX_DIMS, U8, get_default_dtype_code, is_float)

import warnings

from tinytorch._core.binding import bind

METHODS = ["clamp", "clip", "clamp_min", "clamp_max", "clamp_", "clip_", "clamp_min_",
           "clamp_max_"]
__all__ = ["where", *METHODS]

cdef extern from *:
    """
    #include "where.h"
    #include "select.h"
    #include "select_backward.h"
    #include "zip_arithmetic.h"
    TT_LOOPS(clamp) TT_LOOPS(clamp_min) TT_LOOPS(clamp_max) TT_LOOPS(clamp_tensor)
    TT_LOOPS(maximum) TT_LOOPS(minimum) TT_FLOAT_LOOPS(clamp_backward)
    """
    int where_driver(const void* call) noexcept nogil
    Loops clamp_loops, clamp_min_loops, clamp_max_loops, clamp_tensor_loops
    Loops maximum_loops, minimum_loops, clamp_backward_loops

tt_parallel_for = parallel_for

cdef Kernel* WHERE = register_kernel("where", <Driver>where_driver, NULL, 0, 1)
cdef Kernel* CLAMP = register_kernel("clamp", pointwise, clamp_loops, 0, 1)
cdef Kernel* CLAMP_MIN = register_kernel("clamp_min", pointwise, clamp_min_loops, 0, 1)
cdef Kernel* CLAMP_MAX = register_kernel("clamp_max", pointwise, clamp_max_loops, 0, 1)
cdef Kernel* CLAMP_TENSOR = register_kernel(
    "clamp_tensor", pointwise, clamp_tensor_loops, 0, 1)
cdef Kernel* AT_LEAST = register_kernel(
    "clamp_min_tensor", pointwise, maximum_loops, 0, 1)
cdef Kernel* AT_MOST = register_kernel(
    "clamp_max_tensor", pointwise, minimum_loops, 0, 1)
cdef Kernel* CLAMP_BACKWARD = register_kernel(
    "clamp_backward", pointwise, clamp_backward_loops, 0, 1)


cdef Tensor cast(Tensor x, int code):
    cdef Tensor y
    if x.code == code:
        return x
    y = empty_as(x, code)
    copy_into(y, x)
    return y


# ---- where ----

cdef int code_of_numbers(const Number* a, const Number* b) noexcept:
    cdef int category = max(a.category, b.category)
    if category == FLOATS:
        return get_default_dtype_code()
    return BOOL if category == BOOLS else I64


cdef inline void put(View* v, Scalar* slot, Tensor x, const Number* n, int code):
    """A source of the driver: it converts single elements itself."""
    if x is not None:
        view_of(v, x)
    elif is_float(code):
        slot.f = n.f
        immediate(v, slot, F64)
    else:
        slot.i = n.i
        immediate(v, slot, I64)


cdef Tensor choose(Tensor condition, Tensor a, const Number* na, Tensor b,
                   const Number* nb, Tensor into):
    cdef View[4] v
    cdef Scalar[2] slot
    cdef int64_t[MAX_DIMS] shape
    cdef int code, ndim = condition.rank
    cdef Tensor y, like = condition
    if a is None:
        code = code_of_numbers(na, nb) if b is None else code_with_number(b, na)
    else:
        code = code_with_number(a, nb) if b is None else code_with_tensor(a, b)
    memcpy(shape, condition.sizes, ndim * sizeof(int64_t))
    if a is not None:
        same_device(condition, a)
        ndim = broadcast_with(ndim, shape, a)
        if a.code != code and a.count != 1:
            a = cast(a, code)
        like = a if a.rank or not like.rank else like
    if b is not None:
        same_device(like, b)
        ndim = broadcast_with(ndim, shape, b)
        if b.code != code and b.count != 1:
            b = cast(b, code)
        like = b if b.rank and not like.rank else like
    y = into
    if into is None or into.code != code:
        y = empty(ndim, shape, code, like.storage.device, like.storage.index)
    view_of(&v[0], y)
    view_of(&v[1], condition)
    put(&v[2], &slot[0], a, na, code)
    put(&v[3], &slot[1], b, nb, code)
    run(WHERE, v, 4, 1, NULL, 0, 0, y.storage.device)
    if into is None:
        return y
    if y is into:
        wrote(y)
    else:
        copy_into(into, y)
    return into


cdef Tensor where_recorded(Tensor condition, Tensor a, const Number* na, Tensor b,
                           const Number* nb):
    cdef Node node = None
    cdef Tensor y
    if a is not None and needs_grad(a) or b is not None and needs_grad(b):
        node = new_node(where_backward, b"WhereBackward0")
        save(node, 0, condition)
    y = choose(condition, a, na, b, nb, None)
    if node is not None:
        if a is not None:
            link_fitted(node, 0, a, y)
        if b is not None:
            link_fitted(node, 1, b, y)
        attach(y, node)
    return y


cdef int where_backward(Node node, Tensor gy) except -1:
    """dy = da where the condition holds, else db"""
    cdef Tensor condition = saved(node, 0)
    cdef Number zero = number_of_float(0)
    if wants(node, 0):
        send(node, 0, where_recorded(condition, gy, NULL, None, &zero))
    if wants(node, 1):
        send(node, 1, where_recorded(condition, None, &zero, gy, NULL))
    return 0


cdef Tensor c_where(Tensor condition, Tensor a, Tensor b):
    return where_recorded(condition, a, NULL, b, NULL)

cdef Tensor c_where_number(Tensor condition, Tensor a, double b):
    cdef Number n = number_of_float(b)
    return where_recorded(condition, a, NULL, None, &n)


cdef object absent = object()


cdef Tensor operand(object value, Number* n):
    """The tensor, or None and the number."""
    if isinstance(value, Tensor):
        return <Tensor>value
    if value is absent or not as_number(value, n):
        raise TypeError("where(): expected (Tensor condition), or (Tensor condition, "
                        "Tensor or Number input, Tensor or Number other)")
    return None


def where(Tensor condition not None, input=absent, other=absent, *, out=None):
    """Return `input` where `condition` holds and `other` elsewhere.

    With the condition alone, return the indices of its true elements, one tensor per
    dimension.
    """
    cdef Number a, b
    cdef Tensor x, y
    if input is absent and other is absent:
        return condition.nonzero(as_tuple=True)
    x = operand(input, &a)
    y = operand(other, &b)
    if condition.code == U8:
        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and "
            "will be removed in a future version of PyTorch. Use a boolean condition "
            "instead.", UserWarning, stacklevel=2)
    elif condition.code != BOOL:
        raise RuntimeError("where expected condition to be a boolean tensor, but got a "
                           f"tensor with dtype {dtype_word(condition.code)}")
    return deliver(where_recorded(condition, x, &a, y, &b), out)


def where_method(Tensor self not None, Tensor condition not None, other):
    """Return `self` where `condition` holds and `other` elsewhere."""
    return where(condition, self, other)


bind("where", where_method)  # its operands stand in another order than the function's


# ---- clamp with numbers ----

cdef Tensor clamp_numbers(const Kernel* kernel, Tensor x, Number* low, Number* high,
                          const char* title, Tensor into):
    """Either bound may be NULL; kernel is CLAMP, CLAMP_MIN or CLAMP_MAX."""
    cdef Scalar[2] s
    cdef Node node = None
    cdef int code = x.code
    cdef int n = 0
    cdef Tensor y
    if low != NULL:
        code = wider(code, x, low)
    if high != NULL:
        code = wider(code, x, high)
    if code == BOOL:
        refuse_dtype(kernel.name, code)
    if into is not None:
        check_inplace(into)
    if low != NULL:
        put_bound(&s[0], low, code)
        n = 1
    if high != NULL:
        put_bound(&s[n], high, code)
        n += 1
    if needs_grad(x):
        node = new_node(clamp_backward, title)
        node.f0 = -INFINITY if low == NULL else low.f
        node.f1 = INFINITY if high == NULL else high.f
        save_input(node, 0, x, into)
    y = unary(kernel, PROMOTE, cast(x, code), into, s, n)
    if node is None:
        return y
    link_fitted(node, 0, x, y)
    if into is None:
        attach(y, node)
    else:
        rebase(y, node)
    return y


cdef int wider(int code, Tensor x, const Number* n) noexcept:
    return code if is_float(code) else code_with_number(x, n)


cdef int put_bound(Scalar* s, Number* bound, int code) except -1:
    if is_float(code):
        s.f = bound.f
    else:
        narrow(bound, code)
        s.i = bound.i
    return 0


cdef int clamp_backward(Node node, Tensor gy) except -1:
    """dy = dx where x lies within the bounds, both included"""
    cdef Tensor x = saved(node, 0)
    cdef Scalar[2] s
    if grad_mode():
        return send(node, 0, c_where_number(
            c_logical_and(c_ge_number(x, node.f0), c_le_number(x, node.f1)), gy, 0))
    s[0].f, s[1].f = node.f0, node.f1
    return send(node, 0, binary(CLAMP_BACKWARD, PROMOTE, gy, x, NULL, None, s, 2))


cdef Tensor c_clamp(Tensor x, double low, double high):
    cdef Number a = number_of_float(low), b = number_of_float(high)
    return clamp_numbers(CLAMP, x, &a, &b, b"ClampBackward1", None)


# ---- clamp with tensors ----

cdef Tensor clamp_tensors(Tensor x, Tensor low, Tensor high, const char* title):
    """Either bound may be None."""
    cdef Node node = None
    cdef Tensor y
    if (low is not None and high is not None and x.code == BOOL and low.code == BOOL
            and high.code == BOOL):
        refuse_dtype("clamp", BOOL)
    if (needs_grad(x) or low is not None and needs_grad(low)
            or high is not None and needs_grad(high)):
        node = new_node(clamp_tensors_backward, title)
        save(node, 0, x)
        if low is not None:
            save(node, 1, low)
        if high is not None:
            save(node, 2, high)
    if high is None:
        y = binary(AT_LEAST, PROMOTE, x, low, NULL, None)
    elif low is None:
        y = binary(AT_MOST, PROMOTE, x, high, NULL, None)
    else:
        y = ternary(CLAMP_TENSOR, PROMOTE, x, low, high, None)
    if node is None:
        return y
    link_fitted(node, 0, x, y)
    if low is not None:
        link_fitted(node, 1, low, y)
    if high is not None:
        link_fitted(node, 2, high, y)
    attach(y, node)
    return y


cdef int clamp_tensors_backward(Node node, Tensor gy) except -1:
    """dy = dx within the bounds, included; d(low) below low, d(high) above high.

    Where low > high the result is high, and so is the gradient.
    """
    cdef Tensor x = saved(node, 0), inside, below, above
    cdef Tensor low = None if node.s1 is None else saved(node, 1)
    cdef Tensor high = None if node.s2 is None else saved(node, 2)
    if high is None:
        inside, below, above = c_ge(x, low), c_lt(x, low), None
    elif low is None:
        inside, below, above = c_le(x, high), None, c_gt(x, high)
    else:
        inside = c_logical_and(c_ge(x, low), c_le(x, high))
        below = c_logical_and(c_lt(low, high), c_lt(x, low))
        above = c_logical_or(c_gt(x, high), c_lt(high, low))
    if wants(node, 0):
        send(node, 0, c_where_number(inside, gy, 0))
    if wants(node, 1):
        send(node, 1, c_where_number(below, gy, 0))
    if wants(node, 2):
        send(node, 2, c_where_number(above, gy, 0))
    return 0


cdef object clamped(str name, Tensor x, object low, object high, Tensor into,
                    const char* of_numbers, const char* of_tensors):
    cdef Number a, b
    cdef const Kernel* kernel
    cdef Tensor y
    if low is None and high is None:
        raise RuntimeError(
            "torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        if not (low is None or isinstance(low, Tensor)) or not (
                high is None or isinstance(high, Tensor)):
            raise TypeError(f"{name}(): min and max must both be Tensor or both "
                            f"Number, got ({type(low).__name__}, "
                            f"{type(high).__name__})")
        y = clamp_tensors(x, <Tensor?>low if low is not None else None,
                          <Tensor?>high if high is not None else None, of_tensors)
        return y if into is None else take_result(into, y)
    if low is not None and not as_number(low, &a) or (
            high is not None and not as_number(high, &b)):
        raise TypeError(f"{name}(): min and max must be Number or Tensor, got "
                        f"({type(low).__name__}, {type(high).__name__})")
    kernel = CLAMP_MIN if high is None else CLAMP_MAX if low is None else CLAMP
    return clamp_numbers(kernel, x, NULL if low is None else &a,
                         NULL if high is None else &b, of_numbers, into)


def clamp(Tensor input not None, min=None, max=None, *, out=None):
    """Return the elements limited to ``[min, max]``; where min > max, to max."""
    return deliver(<Tensor>clamped("clamp", input, min, max, None, b"ClampBackward1",
                                   b"ClampBackward0"), out)


def clamp_(Tensor self not None, min=None, max=None):
    return clamped("clamp_", self, min, max, self, b"ClampBackward1", b"ClampBackward0")


def clamp_min(Tensor input not None, min, *, out=None):
    """Return the elements, but at least `min`."""
    return deliver(<Tensor>clamped("clamp_min", input, min, None, None,
                                   b"ClampMinBackward0", b"ClampMinBackward1"), out)


def clamp_min_(Tensor self not None, min):
    return clamped("clamp_min_", self, min, None, self, b"ClampMinBackward0",
                   b"ClampMinBackward1")


def clamp_max(Tensor input not None, max, *, out=None):
    """Return the elements, but at most `max`."""
    return deliver(<Tensor>clamped("clamp_max", input, None, max, None,
                                   b"ClampMaxBackward0", b"ClampMaxBackward1"), out)


def clamp_max_(Tensor self not None, max):
    return clamped("clamp_max_", self, None, max, self, b"ClampMaxBackward0",
                   b"ClampMaxBackward1")


clip, clip_ = clamp, clamp_


describe_twins(globals(), METHODS)
