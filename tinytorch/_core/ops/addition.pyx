"""Sums and differences, their operators, and what the engine adds gradients with.

Every op has two forms, over two tensors and over a tensor and a Python number;
`operate` chooses.  In place, `into` is the tensor that is written.
"""

from tinytorch._core.autograd cimport (
    Node, check_inplace, gradient_ops, needs_grad, new_node, send, wants)
from tinytorch._core.executor cimport (
    Kernel, Scalar, copy_new, fill_new, pointwise, register_kernel)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, TAKES_ALPHA, Number, as_number, binary, code_with_number,
    code_with_tensor, deliver, number_of_float)
from tinytorch._core.ops.multiplication cimport c_mul_number, c_neg
from tinytorch._core.ops.operands cimport (
    call, linked, operate, operate_into, refuse_operand)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_like, operators
from tinytorch._core.types cimport BOOL, BOOLS, FLOATS, is_float

__all__ = ["add", "sub", "subtract", "rsub"]
METHODS = ["add", "add_", "sub", "sub_", "subtract", "subtract_", "__rsub__"]

cdef extern from *:
    """
    #include "zip_arithmetic.h"
    TT_LOOPS(add) TT_LOOPS(sub) TT_LOOPS(rsub)
    """
    void** add_loops
    void** sub_loops
    void** rsub_loops

cdef Kernel* ADD = register_kernel("add", pointwise, add_loops, TAKES_ALPHA, 1)
cdef Kernel* SUB = register_kernel("sub", pointwise, sub_loops, TAKES_ALPHA, 1)
cdef Kernel* RSUB = register_kernel("rsub", pointwise, rsub_loops, TAKES_ALPHA, 1)


# ---- a + k b ----

cdef object one = 1  # the default of alpha, recognised by identity


cdef int check_alpha(Tensor a, Tensor b, const Number* n,
                     const Number* alpha) except -1:
    cdef int code = code_with_number(a, n) if b is None else code_with_tensor(a, b)
    if alpha.category == FLOATS and not is_float(code):
        raise RuntimeError("For integral input tensors, argument alpha must not be a "
                           "floating point number.")
    if alpha.category == BOOLS and code != BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return 0


cdef int check_sub(Tensor a, Tensor b, const Number* n) except -1:
    """PyTorch has no difference of truth values."""
    if a.code == BOOL and (n.category == BOOLS if b is None else b.code == BOOL):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead.")
    if a.code == BOOL or (n.category == BOOLS if b is None else b.code == BOOL):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If "
            "you are trying to invert a mask, use the `~` or `logical_not()` operator "
            "instead.")
    return 0


cdef Tensor sum_of(const Kernel* kernel, Tensor a, Tensor b, const Number* n,
                   const Number* alpha, double ka, double kb, Tensor into):
    """y = ka a + kb b, where b may be the number n; the kernel knows the signs."""
    cdef Node node = None
    cdef Scalar[3] s
    cdef const Scalar* scalars = NULL
    if into is not None:
        check_inplace(into)
    if alpha != NULL:
        check_alpha(a, b, n, alpha)
        s[0].f = s[1].f = alpha.f
        s[2].i = alpha.i
        scalars = s
    if needs_grad(a) or b is not None and needs_grad(b):
        node = new_node(add_backward, b"AddBackward0" if kernel == ADD else
                        b"SubBackward0" if kernel == SUB else b"RsubBackward0")
        node.f0 = ka
        node.f1 = kb
    return linked(node, binary(kernel, PROMOTE, a, b, n, into, scalars), a, b, into)


cdef int add_backward(Node node, Tensor gy) except -1:
    """d(j a + k b) = j da + k db"""
    if wants(node, 0):
        send(node, 0, times(gy, node.f0))
    if wants(node, 1):
        send(node, 1, times(gy, node.f1))
    return 0


cdef Tensor times(Tensor x, double k):
    if k == 1:
        return x
    return c_neg(x) if k == -1 else c_mul_number(x, k)


cdef Tensor add_tensors(Tensor a, Tensor b, Tensor into):
    return sum_of(ADD, a, b, NULL, NULL, 1, 1, into)


cdef Tensor add_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return sum_of(ADD, x, None, n, NULL, 1, 0, into)


cdef Tensor sub_tensors(Tensor a, Tensor b, Tensor into):
    if a.code == BOOL or b.code == BOOL:
        check_sub(a, b, NULL)
    return sum_of(SUB, a, b, NULL, NULL, 1, -1, into)


cdef Tensor sub_number(Tensor x, const Number* n, bint swapped, Tensor into):
    if x.code == BOOL or n.category == BOOLS:
        check_sub(x, None, n)
    if swapped:
        return sum_of(RSUB, x, None, n, NULL, -1, 0, into)
    return sum_of(SUB, x, None, n, NULL, 1, 0, into)


cdef object scaled(str name, const Kernel* kernel, Tensor x, object other, object alpha,
                   double ka, double kb, Tensor into):
    """add, sub and rsub with alpha."""
    cdef Number n, k
    if not as_number(alpha, &k):
        raise TypeError(f"{name}(): argument 'alpha' must be Number, not "
                        f"{type(alpha).__name__}")
    if kernel == RSUB:
        ka, kb = -k.f, 1
    else:
        kb *= k.f
    if isinstance(other, Tensor):
        if kernel != ADD and (x.code == BOOL or (<Tensor>other).code == BOOL):
            check_sub(x, <Tensor>other, NULL)
        return sum_of(kernel, x, <Tensor>other, NULL, &k, ka, kb, into)
    if not as_number(other, &n):
        refuse_operand(name, other)
    if kernel != ADD:
        check_sub(x, None, &n)
    return sum_of(kernel, x, None, &n, &k, ka, kb, into)


def add(input, other, *, alpha=1, out=None):
    """Return ``input + alpha * other``."""
    if alpha is one or not isinstance(input, Tensor):
        return call("add", input, other, add_tensors, add_number, out)
    return deliver(<Tensor>scaled("add", ADD, input, other, alpha, 1, 1, None), out)


def add_(Tensor self not None, other, *, alpha=1):
    """In-place `add`."""
    return scaled("add", ADD, self, other, alpha, 1, 1, self)


def sub(input, other, *, alpha=1, out=None):
    """Return ``input - alpha * other``."""
    if not isinstance(input, Tensor):
        return call("sub", input, other, sub_tensors, sub_number, out)
    return deliver(<Tensor>scaled("sub", SUB, input, other, alpha, 1, -1, None), out)


def sub_(Tensor self not None, other, *, alpha=1):
    """In-place `sub`."""
    return scaled("sub", SUB, self, other, alpha, 1, -1, self)


def rsub(Tensor input not None, other, *, alpha=1):
    """Return ``other - alpha * input``."""
    return scaled("rsub", RSUB, input, other, alpha, -1, 1, None)


def __rsub__(Tensor self not None, other):
    return rsub(self, other)


subtract, subtract_ = sub, sub_


# ---- for other families, and for the engine ----

cdef Tensor c_add(Tensor a, Tensor b):
    return add_tensors(a, b, None)


cdef Tensor c_sub(Tensor a, Tensor b):
    return sub_tensors(a, b, None)


cdef Tensor c_add_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return add_number(x, &n, False, None)


cdef Tensor c_rsub_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return sub_number(x, &n, True, None)


cdef int add_into(Tensor y, Tensor x) except -1:
    binary(ADD, PROMOTE, y, x, NULL, y)
    return 0


cdef Tensor ones_like(Tensor x):
    cdef Tensor y = empty_like(x)
    fill_new(y, 1, 1)
    return y


cdef Tensor clone(Tensor x):
    """A copy that, under create_graph, is part of the graph."""
    cdef Tensor y
    if x.flags & REQUIRES_GRAD:
        return c_add_number(x, 0)
    y = empty_like(x)
    copy_new(y, x)
    return y


gradient_ops.add = c_add
gradient_ops.add_into = add_into
gradient_ops.clone = clone
gradient_ops.ones_like = ones_like


# ---- operators ----

cdef object op_add(object a, object b):
    return operate(a, b, add_tensors, add_number)

cdef object op_sub(object a, object b):
    return operate(a, b, sub_tensors, sub_number)

cdef object op_iadd(object a, object b):
    return operate_into(a, b, add_tensors, add_number)

cdef object op_isub(object a, object b):
    return operate_into(a, b, sub_tensors, sub_number)

operators.add, operators.iadd = op_add, op_iadd
operators.sub, operators.isub = op_sub, op_isub
