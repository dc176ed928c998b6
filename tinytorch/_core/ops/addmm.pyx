"""Products added to something:  y = beta x + alpha a b,  in one call."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, link, link_fitted, needs_grad, needs_grad2,
    new_node, save, saved, send, wants)
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_add, c_mul, c_mul_number
from tinytorch._core.ops.bmm cimport c_bmm, c_outer, product_code, product_into
from tinytorch._core.ops.copies cimport c_to
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, as_tensor, deliver, same_device, take_result)
from tinytorch._core.ops.gemm cimport c_mm
from tinytorch._core.ops.matmul cimport cpp_type, refuse_bool
from tinytorch._core.ops.shape cimport (
    c_expand, c_permute, c_reshape, c_squeeze, c_unsqueeze)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_beside, size_of
from tinytorch._core.types cimport BOOL, F32, FLOATS, is_float, promote

__all__ = ["addmm", "addmv", "addr", "addbmm", "baddbmm", "addmv_"]
METHODS = [*__all__, "addmm_", "addr_", "addbmm_", "baddbmm_"]


# ---- matrices and batches of them ----

cdef double factor(object value, str name, int code) except? -1:
    """beta or alpha; integer products truncate it, as PyTorch does."""
    cdef Number n
    if not as_number(value, &n):
        raise TypeError(f"argument '{name}' must be Number, not {type(value).__name__}")
    return n.f if is_float(code) else <double>n.i


cdef Tensor fused(Tensor x, Tensor a, Tensor b, double beta, double alpha):
    """beta x + alpha a b of matrices or of batches; x broadcasts.  beta 0 ignores x."""
    cdef Node node = None
    cdef Tensor y
    cdef int64_t[3] shape
    cdef int code = product_code(a.code), r = a.rank
    if a.code != code:  # one rounding, at the end
        return c_to(fused(c_to(x, code), c_to(a, code), c_to(b, code), beta, alpha),
                    a.code)
    shape[0] = a.sizes[0]
    shape[r - 2] = a.sizes[r - 2]
    shape[r - 1] = b.sizes[r - 1]
    if needs_grad2(a, b) or needs_grad(x):
        node = new_node(fused_backward,
                        b"AddmmBackward0" if r == 2 else b"BaddbmmBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 1, a)
        if a.flags & REQUIRES_GRAD:
            save(node, 2, b)
        node.f0 = beta
        node.f1 = alpha
    y = empty_beside(a, r, shape, code)
    if beta != 0:
        copy_into(y, c_expand(x, r, shape))
    product_into(y, a, False, b, False, alpha, beta)
    if node is not None:
        link_fitted(node, 0, x, y)
        link(node, 1, a)
        link(node, 2, b)
        attach(y, node)
    return y


cdef inline Tensor scaled(Tensor x, double k):
    return x if k == 1 else c_mul_number(x, k)


cdef inline Tensor multiply(Tensor a, bint ta, Tensor b, bint tb):
    return c_mm(a, ta, b, tb) if a.rank == 2 else c_bmm(a, ta, b, tb)


cdef int fused_backward(Node node, Tensor gy) except -1:
    """d(beta x + alpha a b) = beta dx + alpha (gy b' da + a' gy db)"""
    if wants(node, 0):
        send(node, 0, scaled(gy, node.f0))
    if wants(node, 1):
        send(node, 1, scaled(multiply(gy, False, saved(node, 2), True), node.f1))
    if wants(node, 2):
        send(node, 2, scaled(multiply(saved(node, 1), True, gy, False), node.f1))
    return 0


# ---- checks ----

cdef int check_dtypes(Tensor x, Tensor a, Tensor b) except -1:
    if x.code != b.code:
        raise RuntimeError("self and mat2 must have the same dtype, but got "
                           f"{dtype_word(x.code)} and {dtype_word(b.code)}")
    if a.code != b.code:
        raise RuntimeError("mat1 and mat2 must have the same dtype, but got "
                           f"{dtype_word(a.code)} and {dtype_word(b.code)}")
    refuse_bool("addmm_impl_cpu_", a)
    same_device(x, a)
    return same_device(a, b)


cdef int check_target(Tensor x, list shape) except -1:
    """An in-place form does not grow its tensor."""
    if list(size_of(x)) != shape:
        raise RuntimeError(
            f"Bad in-place call: input tensor size {list(size_of(x))} and output "
            f"tensor size {shape} should match")
    return check_inplace(x)


cdef Tensor c_addmm(Tensor x, Tensor a, Tensor b, object beta, object alpha,
                    bint inplace):
    if a.rank != 2:
        raise RuntimeError(f"mat1 must be a matrix, got {a.rank}-D tensor")
    if b.rank != 2:
        raise RuntimeError(f"mat2 must be a matrix, got {b.rank}-D tensor")
    if a.sizes[1] != b.sizes[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a.sizes[0]}x{a.sizes[1]} and "
            f"{b.sizes[0]}x{b.sizes[1]})")
    check_dtypes(x, a, b)
    if inplace:
        check_target(x, [a.sizes[0], b.sizes[1]])
    return fused(x, a, b, factor(beta, "beta", x.code), factor(alpha, "alpha", x.code))


cdef Tensor c_addmv(Tensor x, Tensor a, Tensor v, object beta, object alpha,
                    bint inplace):
    cdef Tensor y
    if a.rank != 2 or v.rank != 1 or x.rank > 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {x.rank}, {a.rank}, {v.rank}")
    if a.sizes[1] != v.sizes[0] or x.count != 1 and x.count != a.sizes[0]:
        raise RuntimeError(
            f"size mismatch, got input ({x.count}), mat "
            f"({a.sizes[0]}x{a.sizes[1]}), vec ({v.sizes[0]})")
    if a.code != v.code or a.code != x.code:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{dtype_word(x.code)}, {dtype_word(a.code)}, and {dtype_word(v.code)}")
    refuse_bool("addmv_impl_cpu", a)
    same_device(x, a)
    same_device(a, v)
    if inplace:
        check_target(x, [a.sizes[0]])
    y = fused(c_unsqueeze(x, x.rank), a, c_unsqueeze(v, 1),
              factor(beta, "beta", x.code), factor(alpha, "alpha", x.code))
    return c_squeeze(y, 1)


cdef int check_batches(Tensor a, Tensor b) except -1:
    if a.rank != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if b.rank != 3:
        raise RuntimeError("batch2 must be a 3D tensor")
    return 0


cdef Tensor c_addbmm(Tensor x, Tensor a, Tensor b, object beta, object alpha,
                     bint inplace):
    """The sum over a batch is one product of a's matrices side by side with b's."""
    cdef int64_t[2] shape
    cdef int[3] order
    check_batches(a, b)
    if a.sizes[0] != b.sizes[0]:
        raise RuntimeError("batch1 and batch2 must have same number of batches, got "
                           f"{a.sizes[0]} and {b.sizes[0]}")
    if a.sizes[2] != b.sizes[1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({a.sizes[1]}x{a.sizes[2]} and "
            f"{b.sizes[1]}x{b.sizes[2]})")
    check_dtypes(x, a, b)
    if inplace:
        check_target(x, [a.sizes[1], b.sizes[2]])
    order[0], order[1], order[2] = 1, 0, 2
    shape[0] = a.sizes[1]
    shape[1] = a.sizes[0] * a.sizes[2]
    a = c_reshape(c_permute(a, order), 2, shape)
    shape[0] = shape[1]
    shape[1] = b.sizes[2]
    return fused(x, a, c_reshape(b, 2, shape), factor(beta, "beta", x.code),
                 factor(alpha, "alpha", x.code))


cdef Tensor c_baddbmm(Tensor x, Tensor a, Tensor b, object beta, object alpha,
                      bint inplace):
    check_batches(a, b)
    if a.sizes[0] != b.sizes[0] or a.sizes[2] != b.sizes[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{a.sizes[0]}, {a.sizes[2]}] but got: [{b.sizes[0]}, {b.sizes[1]}].")
    if x.code != a.code or a.code != b.code:
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {cpp_type(x.code)}, batch1: "
            f"{cpp_type(a.code)}, batch2: {cpp_type(b.code)}")
    refuse_bool("baddbmm", a)
    same_device(x, a)
    same_device(a, b)
    if inplace:
        check_target(x, [a.sizes[0], a.sizes[1], b.sizes[2]])
    return fused(x, a, b, factor(beta, "beta", x.code), factor(alpha, "alpha", x.code))


# ---- the outer product: no matrices, so element by element ----

cdef Tensor times(Tensor x, object value, str name):
    """x times a number that does not change its dtype; truth values: x and value."""
    cdef Number n
    if not as_number(value, &n):
        raise TypeError(f"addr(): argument '{name}' must be Number, not "
                        f"{type(value).__name__}")
    if n.category == FLOATS and not is_float(x.code):
        raise RuntimeError(
            f"For integral input tensors, argument {name} must not be a floating point "
            "number.")
    if is_float(x.code):
        return scaled(x, n.f)
    return c_mul(x, as_tensor(n.i != 0 if x.code == BOOL else n.i, x))


cdef Tensor c_addr(Tensor x, Tensor a, Tensor b, object beta, object alpha,
                   bint inplace):
    cdef int64_t[2] shape
    cdef Tensor y
    cdef int code
    if a.rank != 1:
        raise RuntimeError(f"addr: Expected 1-D argument vec1, but got {a.rank}-D")
    if b.rank != 1:
        raise RuntimeError(f"addr: Expected 1-D argument vec2, but got {b.rank}-D")
    if inplace:
        if x.rank != 2:
            raise RuntimeError(f"2D tensor expected, got {x.rank}D tensor for input")
        if x.sizes[0] != a.count or x.sizes[1] != b.count:
            raise RuntimeError(
                f"size mismatch, input: [{x.sizes[0]}, {x.sizes[1]}], v1: [{a.count}], "
                f"v2: [{b.count}]")
        check_inplace(x)
    shape[0] = a.count
    shape[1] = b.count
    x = c_expand(x, 2, shape)
    code = promote(promote(a.code, b.code), x.code)
    if product_code(code) == F32 and code != F32:  # one rounding, at the end
        y = added_outer(c_to(x, F32), c_to(a, F32), c_to(b, F32), beta, alpha)
        return c_to(y, code)
    return added_outer(x, a, b, beta, alpha)


cdef Tensor added_outer(Tensor x, Tensor a, Tensor b, object beta, object alpha):
    cdef Number n
    cdef Tensor y = times(c_outer(a, b), alpha, "alpha")
    if as_number(beta, &n) and n.f == 0:  # x may hold NaN
        return c_to(y, c_add(x, y).code)
    return c_add(times(x, beta, "beta"), y)


# ---- what Python sees ----


def addmm(Tensor input not None, Tensor mat1 not None, Tensor mat2 not None, *, beta=1,
          alpha=1, out=None):
    """Return ``beta * input + alpha * mat1 @ mat2``."""
    return deliver(c_addmm(input, mat1, mat2, beta, alpha, False), out)


def addmm_(Tensor self not None, Tensor mat1 not None, Tensor mat2 not None, *, beta=1,
           alpha=1):
    """In-place `addmm`."""
    return take_result(self, c_addmm(self, mat1, mat2, beta, alpha, True))


def addmv(Tensor input not None, Tensor mat not None, Tensor vec not None, *, beta=1,
          alpha=1, out=None):
    """Return ``beta * input + alpha * mat @ vec``."""
    return deliver(c_addmv(input, mat, vec, beta, alpha, False), out)


def addmv_(Tensor self not None, Tensor mat not None, Tensor vec not None, *, beta=1,
           alpha=1):
    """In-place `addmv`."""
    return take_result(self, c_addmv(self, mat, vec, beta, alpha, True))


def addr(Tensor input not None, Tensor vec1 not None, Tensor vec2 not None, *, beta=1,
         alpha=1, out=None):
    """Return ``beta * input + alpha * outer(vec1, vec2)``."""
    return deliver(c_addr(input, vec1, vec2, beta, alpha, False), out)


def addr_(Tensor self not None, Tensor vec1 not None, Tensor vec2 not None, *, beta=1,
          alpha=1):
    """In-place `addr`."""
    return take_result(self, c_addr(self, vec1, vec2, beta, alpha, True))


def addbmm(Tensor input not None, Tensor batch1 not None, Tensor batch2 not None, *,
           beta=1, alpha=1, out=None):
    """Return ``beta * input + alpha * (batch1 @ batch2).sum(0)``."""
    return deliver(c_addbmm(input, batch1, batch2, beta, alpha, False), out)


def addbmm_(Tensor self not None, Tensor batch1 not None, Tensor batch2 not None, *,
            beta=1, alpha=1):
    """In-place `addbmm`."""
    return take_result(self, c_addbmm(self, batch1, batch2, beta, alpha, True))


def baddbmm(Tensor input not None, Tensor batch1 not None, Tensor batch2 not None, *,
            beta=1, alpha=1, out=None):
    """Return ``beta * input + alpha * batch1 @ batch2``."""
    return deliver(c_baddbmm(input, batch1, batch2, beta, alpha, False), out)


def baddbmm_(Tensor self not None, Tensor batch1 not None, Tensor batch2 not None, *,
             beta=1, alpha=1):
    """In-place `baddbmm`."""
    return take_result(self, c_baddbmm(self, batch1, batch2, beta, alpha, True))
