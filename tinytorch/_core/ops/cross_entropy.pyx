"""Cross-entropy of logits, and the negative log-likelihood, against classes.

Class numbers take one kernel call forward and one backward, whatever the weights, the
smoothing and the shape; class probabilities are a composition.
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.arithmetic cimport (
    c_add_number, c_div_number, c_mul, c_mul_number, c_neg, c_sub)
from tinytorch._core.ops.loss cimport NONE, SUM, read_reduction
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport (
    c_to, c_unsqueeze, c_view, contiguous, dtype_word, ones_like)
from tinytorch._core.ops.softmax cimport c_log_softmax, c_softmax
from tinytorch._core.storage cimport CPU
from tinytorch._core.tensor cimport (
    Tensor, data, empty_beside, empty_like, same_shape, size_of)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, F16, F32, I64, MAX_DIMS, U8, compute_of, is_float)

__all__ = []
FUNCTIONAL = ["cross_entropy", "nll_loss"]

cdef extern from *:
    """
    #include "cross_entropy.h"
    TT_FLOAT_LOOPS(cross_entropy_forward) TT_FLOAT_LOOPS(cross_entropy_backward)
    TT_FLOAT_LOOPS(nll_forward) TT_FLOAT_LOOPS(nll_backward)
    """
    void** cross_entropy_forward_loops
    void** cross_entropy_backward_loops
    void** nll_forward_loops
    void** nll_backward_loops
    int class_loss_driver(const KernelCall* call) noexcept nogil
    int class_loss_backward_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* CROSS_ENTROPY = register_kernel(
    "cross_entropy_forward", <Driver>class_loss_driver, cross_entropy_forward_loops)
cdef Kernel* CROSS_ENTROPY_BACKWARD = register_kernel(
    "cross_entropy_backward", <Driver>class_loss_backward_driver,
    cross_entropy_backward_loops, 0, 5)
cdef Kernel* NLL = register_kernel(
    "nll_forward", <Driver>class_loss_driver, nll_forward_loops)
cdef Kernel* NLL_BACKWARD = register_kernel(
    "nll_backward", <Driver>class_loss_backward_driver, nll_backward_loops, 0, 1)
CROSS_ENTROPY.count_flops = softmax_flops


cdef double softmax_flops(const KernelCall* call) noexcept nogil:
    return 5.0 * call.operand[2].numel


# ---- checks ----

cdef int check_classes(Tensor x, Tensor target, Tensor weight) except -1:
    """Raise as PyTorch does, in its order."""
    cdef int64_t classes
    if x.rank < 1:
        raise ValueError(f"Expected 1 or more dimensions (got {x.rank})")
    if x.rank != 1 and (target.rank == 0 or x.sizes[0] != target.sizes[0]):
        raise ValueError(
            f"Expected input batch_size ({x.sizes[0]}) to match target batch_size "
            f"({target.sizes[0] if target.rank else 1}).")
    if x.rank <= 2 and target.rank > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not "
                           "supported")
    if x.rank == 1 and target.count != 1:
        raise RuntimeError(
            f"size mismatch (got input: {list(size_of(x))}, target: "
            f"{list(size_of(target))})")
    if x.rank > 2:
        check_spatial(x, target)
    if not is_float(x.code):
        raise NotImplementedError(
            f"\"nll_loss_out_frame\" not implemented for '{dtype_word(x.code)}'")
    if target.code != I64 and target.code != U8:
        raise RuntimeError(
            "expected target dtype to be Long or Byte, but got "
            f"{dtype_word(target.code)}")
    if weight is None:
        return 0
    classes = x.sizes[0 if x.rank == 1 else 1]
    if weight.rank != 1 or weight.count != classes:
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no "
            f"classes but got weight tensor of shape: {list(size_of(weight))}")
    if weight.code != x.code:
        raise RuntimeError(f"expected scalar type {dtype_word(x.code)} but found "
                           f"{dtype_word(weight.code)}")
    if needs_grad(weight):
        raise RuntimeError("the derivative for 'weight' is not implemented")
    return 0


cdef int check_spatial(Tensor x, Tensor target) except -1:
    """The dimensions after the classes are the target's after the batch."""
    cdef int d
    cdef bint fits = target.rank == x.rank - 1
    if x.rank == 4 and target.rank != 3:
        raise RuntimeError("only batches of spatial targets supported (3D tensors) but "
                           f"got targets of dimension: {target.rank}")
    if fits:
        for d in range(2, x.rank):
            fits = fits and x.sizes[d] == target.sizes[d - 1]
    if not fits:
        raise RuntimeError(
            f"Expected target size {[x.sizes[0]] + list(size_of(x))[2:]}, got "
            f"{list(size_of(target))}")
    return 0


cdef int refuse_class(Tensor target, int64_t classes, int64_t ignored) except -1:
    """Name the class that the kernel has found to be none."""
    cdef const int64_t* t = <const int64_t*>data(target)
    cdef int64_t i
    for i in range(target.count):
        if t[i] != ignored and not 0 <= t[i] < classes:
            raise IndexError(f"Target {t[i]} is out of bounds.")
    return 0


# ---- class numbers ----

cdef int put_scalars(Scalar* s, Tensor x, int64_t ignored, int64_t reduction,
                     double smoothing) noexcept:
    cdef int d
    s[0].i = x.sizes[0 if x.rank == 1 else 1]
    s[1].i = ignored
    s[2].i = reduction
    s[3].f = smoothing
    s[4].i = 1
    for d in range(2, x.rank):
        s[4].i *= x.sizes[d]
    s[4].i = max(s[4].i, 1)
    return 0


cdef Tensor class_loss(bint logits, Tensor x, Tensor target, Tensor weight,
                       int reduction, int64_t ignored, double smoothing):
    """The loss of logits, or else of log-probabilities."""
    cdef Node node = None
    cdef Tensor y
    check_classes(x, target, weight)
    if x.code == F16 or x.code == BF16:
        weight = None if weight is None else c_to(weight, F32)
        y = class_loss(logits, c_to(x, F32), target, weight, reduction, ignored,
                       smoothing)
        return c_to(y, x.code)
    target = contiguous(c_to(target, I64))
    if needs_grad(x):
        node = new_node(class_loss_backward,
                        b"NllLossBackward0" if x.rank <= 2 else b"NllLoss2DBackward0")
        save(node, 0, x)
        save(node, 1, target)
        if weight is not None:
            save(node, 2, weight)
        node.i0 = logits
        node.i1 = reduction
        node.i2 = ignored
        node.f0 = smoothing
    y = class_loss_forward(node, logits, x, target, weight, reduction, ignored,
                           smoothing)
    if node is not None:
        link(node, 0, x)
        attach(y, node)
    return y


cdef Tensor class_loss_forward(Node node, bint logits, Tensor x, Tensor target,
                               Tensor weight, int reduction, int64_t ignored,
                               double smoothing):
    cdef View[5] v
    cdef Scalar[5] s
    cdef int64_t numbers = 1 + 3 * target.count
    cdef Tensor state = empty_beside(x, 1, &numbers, x.code)
    cdef Tensor y
    if reduction == NONE:
        y = empty_beside(x, target.rank, target.sizes, x.code)
    else:
        y = empty_beside(x, 0, NULL, x.code)
    put_scalars(s, x, ignored, reduction, smoothing)
    x = contiguous(x)
    view_of(&v[0], y)
    view_of(&v[1], state)
    view_of(&v[2], x)
    view_of(&v[3], target)
    if weight is not None:
        weight = contiguous(weight)
        view_of(&v[4], weight)
    try:
        run(CROSS_ENTROPY if logits else NLL, v, 4 if weight is None else 5, 2, s, 5,
            compute_of[x.code], y.storage.device)
    except IndexError:
        if y.storage.device == CPU:
            refuse_class(target, s[0].i, ignored)
        raise
    if node is not None:
        save(node, 3, state)
    return y


cdef Tensor backward_call(Kernel* kernel, Node node, Tensor gy, Tensor x):
    """The gradient of x, of x's shape, without a graph."""
    cdef View[6] v
    cdef Scalar[5] s
    cdef Tensor target = saved(node, 1), state = saved(node, 3), weight = None, gx
    if node.s2 is not None:
        weight = contiguous(saved(node, 2))
        view_of(&v[5], weight)
    put_scalars(s, x, node.i2, node.i1, node.f0)
    x = contiguous(x)
    gy = contiguous(gy)
    gx = empty_like(x)
    view_of(&v[0], gx)
    view_of(&v[1], x)
    view_of(&v[2], state)
    view_of(&v[3], target)
    view_of(&v[4], gy)
    run(kernel, v, 5 if weight is None else 6, 1, s, 5, compute_of[x.code],
        x.storage.device)
    return gx


cdef int class_loss_backward(Node node, Tensor gy) except -1:
    """dl = sum(q) softmax(x) dx - q dx for logits, -q dx for log-probabilities, where q
    is what the weights and the smoothing make of the class"""
    cdef bint logits = node.i0
    cdef Tensor x = saved(node, 0), q
    cdef int dim = 0 if x.rank == 1 else 1
    if not grad_mode():
        return send(node, 0, backward_call(
            CROSS_ENTROPY_BACKWARD if logits else NLL_BACKWARD, node, gy, x))
    q = backward_call(NLL_BACKWARD, node, ones_like(gy), x)
    if logits:
        q = c_sub(q, c_mul(c_softmax(x, dim), c_sum(q, <uint64_t>1 << dim, True)))
    if node.i1 == NONE:
        gy = c_unsqueeze(gy, dim)
    return send(node, 0, c_mul(gy, q))


# ---- class probabilities ----

cdef Tensor probability_loss(Tensor x, Tensor target, Tensor weight, int reduction,
                             double smoothing):
    """-sum_j w_j q_j log(softmax(x)_j) with q = (1 - s) target + s / C"""
    cdef int dim = 0 if x.rank == 1 else 1, d
    cdef int64_t classes = x.sizes[dim]
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor y = c_log_softmax(x, dim)
    if weight is not None:
        if weight.rank != 1 or weight.count != classes:
            raise RuntimeError(
                "cross_entropy: weight tensor should be defined either for all "
                f"{classes} classes or no classes but got weight tensor of shape: "
                f"{list(size_of(weight))}")
        for d in range(x.rank):
            shape[d] = classes if d == dim else 1
        y = c_mul(y, c_view(weight, x.rank, shape))
    if smoothing > 0:
        target = c_add_number(c_mul_number(target, 1 - smoothing), smoothing / classes)
    y = c_mul(y, target)
    if reduction == NONE:
        return c_neg(c_sum(y, <uint64_t>1 << dim))
    y = c_neg(c_sum(y))
    if reduction == SUM:
        return y
    return c_div_number(y, x.count / <double>classes if classes else 0.0)


def cross_entropy(Tensor input not None, Tensor target not None, weight=None,
                  size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):
    """Return the cross-entropy of logits against classes.

    Args:
        input: logits, (C), (N, C) or (N, C, d1, ...).
        target: class numbers, (), (N) or (N, d1, ...); or probabilities like `input`.
        weight: (C), of each class.

    Example:
        >>> round(cross_entropy(tensor([[0.0, 0.0]]), tensor([1])).item(), 4)
        0.6931
    """
    cdef int how = read_reduction(reduction, size_average, reduce)
    cdef double smoothing = label_smoothing
    cdef Tensor w = weight
    if not 0 <= smoothing <= 1:
        raise RuntimeError(
            f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if same_shape(input, target):
        if not is_float(target.code):
            raise RuntimeError("Expected floating point type for target with class "
                               f"probabilities, got {dtype_word(target.code)}")
        if ignore_index >= 0:
            raise RuntimeError(
                "ignore_index is not supported for floating point target")
        return probability_loss(input, target, w, how, smoothing)
    return class_loss(True, input, target, w, how, ignore_index, smoothing)


def nll_loss(Tensor input not None, Tensor target not None, weight=None,
             size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """Return the negative of the log-probabilities `input` at the classes `target`.

    Args:
        input: log-probabilities, (C), (N, C) or (N, C, d1, ...).
        target: class numbers, (), (N) or (N, d1, ...).
        weight: (C), of each class.
    """
    return class_loss(False, input, target, weight,
                      read_reduction(reduction, size_average, reduce), ignore_index, 0)
