"""Vector norms:  y = (sum |x|^p)^(1/p), of all elements or along dimensions.

    dx = dy sgn(x) (|x| / y)^(p - 1), 0 where y is 0; for p = inf and -inf dy is shared
    by the elements that reach y.
"""

from libc.math cimport INFINITY, isinf
from libc.stdint cimport uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, save, save_output, saved, send)
from tinytorch._core.executor cimport Kernel, Scalar, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport c_div, c_mul, c_mul_number, c_sub
from tinytorch._core.ops.compare cimport c_eq
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, as_number, deliver, unary)
from tinytorch._core.ops.reduce cimport (
    ALL_DIMS, c_sum, dims_of, reduce_node, reduced, reduction, restored)
from tinytorch._core.ops.shape cimport c_to, dtype_word, zeros_like
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport F64, compute_of, is_float, parse_dtype

__all__ = ["dist"]
METHODS = ["dist"]
LINALG = ["vector_norm"]

cdef extern from *:
    """
    #include "reductions.h"
    #include "powers.h"
    TT_FLOAT_REDUCTIONS(norm_one) TT_FLOAT_REDUCTIONS(norm_two)
    TT_FLOAT_REDUCTIONS(norm_power) TT_FLOAT_REDUCTIONS(norm_zero)
    TT_FLOAT_REDUCTIONS(norm_most) TT_FLOAT_REDUCTIONS(norm_least)
    TT_FLOAT_LOOPS(absolute_power) TT_FLOAT_LOOPS(signed_power)
    """
    void** norm_one_reductions
    void** norm_two_reductions
    void** norm_power_reductions
    void** norm_zero_reductions
    void** norm_most_reductions
    void** norm_least_reductions
    void** absolute_power_loops
    void** signed_power_loops

cdef Kernel* NORM_ONE = reduction("norm_one", norm_one_reductions)
cdef Kernel* NORM_TWO = reduction("norm_two", norm_two_reductions)
cdef Kernel* NORM_POWER = reduction("norm_power", norm_power_reductions)
cdef Kernel* NORM_ZERO = reduction("norm_zero", norm_zero_reductions)
cdef Kernel* NORM_MOST = reduction("norm_most", norm_most_reductions)
cdef Kernel* NORM_LEAST = reduction("norm_least", norm_least_reductions)
cdef Kernel* ABSOLUTE_POWER = register_kernel(
    "absolute_power", pointwise, absolute_power_loops, 0, 1)
cdef Kernel* SIGNED_POWER = register_kernel(
    "signed_power", pointwise, signed_power_loops, 0, 1)


# ---- powers of magnitudes ----

cdef Tensor power(const Kernel* kernel, Tensor x, double p, bint signed):
    cdef Node node = None
    cdef Scalar s
    s.f = p
    if needs_grad(x):
        node = new_node(power_backward, b"PowBackward0")
        link(node, 0, x)
        save(node, 0, x)
        node.f0 = p
        node.i0 = signed
    y = unary(kernel, PROMOTE, x, None, &s, 1)
    if node is not None:
        attach(y, node)
    return y


cdef int power_backward(Node node, Tensor gy) except -1:
    """d |x|^p = p sgn(x) |x|^(p-1) dx,  d sgn(x) |x|^p = p |x|^(p-1) dx"""
    cdef Tensor x = saved(node, 0)
    cdef double p = node.f0
    if p == 0:
        return send(node, 0, zeros_like(x))
    return send(node, 0, c_mul(gy, c_mul_number(
        c_absolute_power(x, p - 1) if node.i0 else c_signed_power(x, p - 1), p)))


cdef Tensor c_absolute_power(Tensor x, double p):
    return power(ABSOLUTE_POWER, x, p, False)


cdef Tensor c_signed_power(Tensor x, double p):
    return power(SIGNED_POWER, x, p, True)


# ---- norms ----

cdef const Kernel* norm_kernel(double p) noexcept:
    if isinf(p):
        return NORM_MOST if p > 0 else NORM_LEAST
    return NORM_TWO if p == 2 else NORM_ONE if p == 1 else \
        NORM_ZERO if p == 0 else NORM_POWER


cdef Tensor c_norm(Tensor x, double p, uint64_t dims=<uint64_t>ALL_DIMS,
                   bint keepdim=False):
    cdef Node node = None
    cdef Scalar s
    cdef Tensor y
    s.f = p
    if needs_grad(x):
        node = reduce_node(norm_backward, b"LinalgVectorNormBackward0", x, dims,
                           keepdim)
        node.f0 = p
        save(node, 0, x)
    y = reduced(norm_kernel(p), x, dims, keepdim, x.code, compute_of[x.code], None, &s,
                1)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


cdef int norm_backward(Node node, Tensor gy) except -1:
    """gx = gy sgn(x) (|x| / y)^(p - 1)"""
    cdef Tensor x = saved(node, 0), y, mask, k
    cdef Tensor g = restored(node, gy)
    cdef double p = node.f0
    if p == 0:
        return send(node, 0, zeros_like(x))
    if p == 1:
        return send(node, 0, c_mul(g, c_signed_power(x, 0)))
    y = restored(node, saved(node, 1))
    if isinf(p):
        mask = c_to(c_eq(c_absolute_power(x, 1), y), g.code)
        k = c_sum(mask, <uint64_t>node.i0, True)
        return send(node, 0, c_mul(c_mul(c_signed_power(x, 0), mask), c_div(g, k)))
    x = c_mul(x, c_absolute_power(y, -1))
    return send(node, 0, c_mul(g, x if p == 2 else c_signed_power(x, p - 1)))


cdef str order_word(double p):
    return "inf" if p == INFINITY else "-inf" if p == -INFINITY else f"{p:g}"


cdef Tensor vector_norm_of(Tensor x, double p, object dim, object keepdim,
                           object dtype):
    """Check as PyTorch does, then reduce."""
    cdef uint64_t dims = dims_of(dim, x.rank)
    cdef int code, d
    if not is_float(x.code):
        raise RuntimeError("linalg.vector_norm: Expected a floating point or complex "
                           f"tensor as input. Got {dtype_word(x.code)}")
    if dtype is not None:
        code = parse_dtype(dtype, x.code)
        if not is_float(code):
            raise RuntimeError("linalg.vector_norm: dtype should be floating point or "
                               f"complex, but got {dtype_word(code)}")
        if code != x.code and (x.code == F64 or (x.code < F64 and code > F64)):
            raise RuntimeError(
                "linalg.vector_norm: the dtype of the input "
                f"({dtype_word(x.code)}) should be convertible without narrowing to "
                f"the specified dtype ({dtype_word(code)})")
        x = c_to(x, code)
    if x.count == 0 and (p < 0 or p == INFINITY):
        if dims == <uint64_t>ALL_DIMS:
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {order_word(p)} norm on an "
                "empty tensor because the operation does not have an identity")
        for d in range(x.rank):
            if dims >> d & 1 and x.sizes[d] == 0:
                raise RuntimeError(
                    f"linalg.vector_norm cannot compute the {order_word(p)} norm on "
                    f"the dimension {d}because this dimension is empty and the "
                    "operation does not have an identity")
    return c_norm(x, p, dims, keepdim)


cdef double read_order(object p) except? -7:
    cdef Number n
    if not as_number(p, &n):
        raise TypeError("linalg_vector_norm(): argument 'ord' must be Number, not "
                        f"{type(p).__name__}")
    return n.f


# ---- for Python ----

def vector_norm(Tensor x not None, ord=2, dim=None, keepdim=False, *, dtype=None,
                out=None):
    """Return (sum |x|^ord)^(1/ord), of all elements or along `dim`.

    Example:
        >>> vector_norm(tensor([3.0, -4.0])).item()
        5.0
    """
    return deliver(vector_norm_of(x, read_order(ord), dim, keepdim, dtype), out)


def dist(Tensor input not None, Tensor other not None, p=2):
    """Return the p-norm of input - other.

    Example:
        >>> dist(tensor([3.0, 0.0]), tensor([0.0, 4.0])).item()
        5.0
    """
    return c_norm(c_sub(input, other), read_order(p))
