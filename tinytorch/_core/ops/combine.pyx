"""Ops of three operands in one loop: addcmul, addcdiv and lerp."""

from tinytorch._core.autograd cimport (
    Node, attach, check_source, check_write, grad_mode, link_fitted, needs_grad2,
    new_node, rebase, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, Scalar, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport (
    c_div, c_mul, c_mul_number, c_neg, c_rsub_number, c_square, c_sub)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, as_number, binary, code_with_tensor, deliver, ternary)
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport (
    Loops, describe_twins, refuse_dtype, save_input)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor
from tinytorch._core.types cimport BOOL, is_float

__all__ = ["addcmul", "addcdiv", "lerp"]
METHODS = [*__all__, "addcmul_", "addcdiv_", "lerp_"]

cdef extern from *:
    """
    #include "select.h"
    TT_LOOPS(addcmul) TT_FLOAT_LOOPS(addcdiv) TT_FLOAT_LOOPS(lerp)
    TT_FLOAT_LOOPS(lerp_tensor)
    """
    Loops addcmul_loops, addcdiv_loops, lerp_loops, lerp_tensor_loops

cdef Kernel* ADDCMUL = register_kernel("addcmul", pointwise, addcmul_loops, 0, 3)
cdef Kernel* ADDCDIV = register_kernel("addcdiv", pointwise, addcdiv_loops, 0, 3)
cdef Kernel* LERP = register_kernel("lerp", pointwise, lerp_loops, 0, 3)
cdef Kernel* LERP_TENSOR = register_kernel(
    "lerp_tensor", pointwise, lerp_tensor_loops, 0, 3)


# ---- x + value a b, x + value a / b ----

cdef Tensor combined(const Kernel* kernel, Tensor x, Tensor a, Tensor b, object value,
                     Tensor into):
    cdef Scalar[1] s
    cdef Number n
    cdef Node node = None
    cdef Tensor y
    cdef bint floats = is_float(x.code) or is_float(a.code) or is_float(b.code)
    if not as_number(value, &n):
        raise TypeError(f"{kernel.name.decode()}(): argument 'value' must be Number, "
                        f"not {type(value).__name__}")
    if x.code == BOOL and a.code == BOOL and b.code == BOOL:
        refuse_dtype(kernel.name, BOOL)
    if kernel == ADDCDIV and not is_float(a.code) and not is_float(b.code):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  "
            "release addcdiv will perform a true division of tensor1 and tensor2. The "
            "historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as "
            "(input + value * tensor1 / tensor2) for float inputs. The future addcdiv "
            "behavior is just the latter implementation: (input + value * tensor1 / "
            "tensor2), for all dtypes.")
    if into is not None:
        check_write(into, a)
        check_source(into, b)
    if floats:
        s[0].f = n.f
    else:
        s[0].i = n.i
    if (x.flags | a.flags | b.flags) & REQUIRES_GRAD and grad_mode():
        node = new_node(addcmul_backward if kernel == ADDCMUL else addcdiv_backward,
                        b"AddcmulBackward0" if kernel == ADDCMUL else
                        b"AddcdivBackward0")
        node.f0 = n.f
        save(node, 0, a)
        save(node, 1, b)
    y = ternary(kernel, PROMOTE, x, a, b, into, s, 1)
    return linked_three(node, y, x, a, b, into)


cdef Tensor linked_three(Node node, Tensor y, Tensor a, Tensor b, Tensor c,
                         Tensor into):
    if node is None:
        return y
    link_fitted(node, 0, a, y)
    link_fitted(node, 1, b, y)
    link_fitted(node, 2, c, y)
    if into is None:
        attach(y, node)
    else:
        rebase(y, node)
    return y


cdef int addcmul_backward(Node node, Tensor gy) except -1:
    """d(x + v a b) = dx + v b da + v a db"""
    send(node, 0, gy)
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_mul_number(saved(node, 1), node.f0)))
    if wants(node, 2):
        send(node, 2, c_mul(gy, c_mul_number(saved(node, 0), node.f0)))
    return 0


cdef int addcdiv_backward(Node node, Tensor gy) except -1:
    """d(x + v a / b) = dx + v / b da - v a / b^2 db"""
    cdef Tensor b
    send(node, 0, gy)
    if wants(node, 1) or wants(node, 2):
        b = saved(node, 1)
        if wants(node, 1):
            send(node, 1, c_mul_number(c_div(gy, b), node.f0))
        if wants(node, 2):
            send(node, 2, c_mul(c_neg(gy), c_div(
                c_mul_number(saved(node, 0), node.f0), c_square(b))))
    return 0


def addcmul(Tensor input not None, Tensor tensor1 not None, Tensor tensor2 not None, *,
            value=1, out=None):
    """Return ``input + value * tensor1 * tensor2``."""
    return deliver(combined(ADDCMUL, input, tensor1, tensor2, value, None), out)


def addcmul_(Tensor self not None, Tensor tensor1 not None, Tensor tensor2 not None, *,
             value=1):
    return combined(ADDCMUL, self, tensor1, tensor2, value, self)


def addcdiv(Tensor input not None, Tensor tensor1 not None, Tensor tensor2 not None, *,
            value=1, out=None):
    """Return ``input + value * tensor1 / tensor2``."""
    return deliver(combined(ADDCDIV, input, tensor1, tensor2, value, None), out)


def addcdiv_(Tensor self not None, Tensor tensor1 not None, Tensor tensor2 not None, *,
             value=1):
    return combined(ADDCDIV, self, tensor1, tensor2, value, self)


# ---- linear interpolation ----


cdef tuple c_types = (
    "float", "double", "c10::Half", "c10::BFloat16", "long int", "int", "short int",
    "signed char", "unsigned char", "bool")


cdef int same_dtype(Tensor x, Tensor other, str name) except -1:
    if other.code != x.code:
        raise RuntimeError(f"expected dtype {c_types[x.code]} for `{name}` but got "
                           f"dtype {c_types[other.code]}")
    return 0


cdef Tensor interpolated(Tensor a, Tensor b, object weight, Tensor into):
    cdef Scalar[1] s
    cdef Number n
    cdef Node node = None
    cdef Tensor w = None, y
    cdef int code
    same_dtype(a, b, "end")
    if isinstance(weight, Tensor):
        w = <Tensor>weight
        if w.rank:
            same_dtype(a, w, "weight")
    elif not as_number(weight, &n):
        raise TypeError("lerp(): argument 'weight' must be Tensor or Number, not "
                        f"{type(weight).__name__}")
    code = a.code if w is None else code_with_tensor(a, w)  # 0-d weights promote
    if not is_float(code):
        refuse_dtype("lerp", code)
    if into is not None:
        check_write(into, b)
        check_source(into, w)
    if w is None:
        if needs_grad2(a, b):
            node = new_node(lerp_backward, b"LerpBackward0")
            node.f0 = n.f
        s[0].f = n.f
        return linked(node, binary(LERP, PROMOTE, a, b, NULL, into, s, 1), a, b, into)
    if (a.flags | b.flags | w.flags) & REQUIRES_GRAD and grad_mode():
        node = new_node(lerp_tensor_backward, b"LerpBackward1")
        save(node, 0, w)
        if w.flags & REQUIRES_GRAD:
            save_input(node, 1, a, into)
            save(node, 2, b)
    y = ternary(LERP_TENSOR, PROMOTE, a, b, w, into)
    return linked_three(node, y, a, b, w, into)


cdef int lerp_backward(Node node, Tensor gy) except -1:
    """dy = (1 - w) da + w db"""
    if wants(node, 0):
        send(node, 0, c_mul_number(gy, 1 - node.f0))
    if wants(node, 1):
        send(node, 1, c_mul_number(gy, node.f0))
    return 0


cdef int lerp_tensor_backward(Node node, Tensor gy) except -1:
    """dy = (1 - w) da + w db + (b - a) dw"""
    cdef Tensor w = saved(node, 0)
    if wants(node, 0):
        send(node, 0, c_mul(gy, c_rsub_number(w, 1)))
    if wants(node, 1):
        send(node, 1, c_mul(gy, w))
    if wants(node, 2):
        send(node, 2, c_mul(gy, c_sub(saved(node, 2), saved(node, 1))))
    return 0


def lerp(Tensor input not None, Tensor end not None, weight, *, out=None):
    """Return ``input + weight * (end - input)``."""
    return deliver(interpolated(input, end, weight, None), out)


def lerp_(Tensor self not None, Tensor end not None, weight):
    return interpolated(self, end, weight, self)


describe_twins(globals(), METHODS)
