"""Losses of pairs of elements (x, t), reduced in the same kernel call.

A loss is one row, `Pair`: its loop, the loop of its gradient, and dl/dx (and dl/dt) as
compositions of ops, which serve while a graph is recorded in the backward pass.
"""

from libc.stdint cimport int64_t

import warnings

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link_fitted, needs_grad, needs_grad2, new_node, save,
    saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, pointwise, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.arithmetic cimport (
    c_add_number, c_div, c_div_number, c_mul, c_mul_number, c_neg, c_rsub_number,
    c_sub)
from tinytorch._core.ops.compare cimport c_gt, c_lt
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, binary, broadcast, code_with_tensor, same_device, ternary)
from tinytorch._core.ops.pointwise cimport c_exp, c_log, c_log1p, c_sigmoid
from tinytorch._core.ops.reduce cimport c_mean, c_sum
from tinytorch._core.ops.select cimport c_clamp
from tinytorch._core.ops.shape cimport c_expand, c_to, contiguous, dtype_word
from tinytorch._core.tensor cimport Tensor, empty_beside, same_shape, size_of
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport MAX_DIMS, compute_of, is_float

__all__ = []
FUNCTIONAL = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss",
              "binary_cross_entropy", "kl_div"]

ctypedef void** Loops

cdef extern from *:
    """
    #include "pairs.h"
    #define TT_PAIR(name) TT_FLOAT_LOOPS(name) TT_FLOAT_LOOPS(name##_backward)
    TT_PAIR(mse_loss) TT_PAIR(l1_loss) TT_PAIR(smooth_l1_loss) TT_PAIR(huber_loss)
    TT_PAIR(binary_cross_entropy) TT_PAIR(binary_cross_entropy_with_logits)
    TT_PAIR(soft_margin_loss) TT_PAIR(kl_div)
    """
    Loops mse_loss_loops, mse_loss_backward_loops
    Loops l1_loss_loops, l1_loss_backward_loops
    Loops smooth_l1_loss_loops, smooth_l1_loss_backward_loops
    Loops huber_loss_loops, huber_loss_backward_loops
    Loops binary_cross_entropy_loops, binary_cross_entropy_backward_loops
    Loops binary_cross_entropy_with_logits_loops
    Loops binary_cross_entropy_with_logits_backward_loops
    Loops soft_margin_loss_loops, soft_margin_loss_backward_loops
    Loops kl_div_loops, kl_div_backward_loops
    int pair_loss_driver(const KernelCall* call) noexcept nogil
    int refuse_outside_unit_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

# dl/dx or dl/dt as a composition; p is the loss's parameter
ctypedef Tensor (*PairSlope)(Tensor x, Tensor t, double p)

cdef struct Pair:
    const Kernel* each       # l of each pair
    const Kernel* whole      # their sum or mean
    const Kernel* gradient   # gy, x, t -> gx
    PairSlope slope
    PairSlope target_slope   # NULL: minus the slope
    const char* title

cdef list texts = []  # owns the names that kernels and nodes point at


cdef const char* permanent(str text) except NULL:
    cdef bytes owned = text.encode()
    texts.append(owned)
    return owned


cdef Pair define(str name, Loops loops, Loops gradient, PairSlope slope,
                 PairSlope target_slope=NULL) except *:
    cdef Pair op
    op.each = register_kernel(permanent(name), pointwise, loops, 0, 4)
    op.whole = register_kernel(
        permanent(name + "_reduced"), <Driver>pair_loss_driver, loops)
    op.gradient = register_kernel(
        permanent(name + "_backward"), pointwise, gradient, 0, 4)
    op.slope = slope
    op.target_slope = target_slope
    op.title = permanent(name.title().replace("_", "") + "Backward0")
    return op


# ---- reductions ----

cdef int read_reduction(object reduction, object size_average=None,
                        object reduce=None) except -1:
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is not None and not reduce else \
            "sum" if size_average is not None and not size_average else "mean"
        warnings.warn("size_average and reduce args will be deprecated, please use "
                      f"reduction='{reduction}' instead.", stacklevel=2)
    if reduction == "mean":
        return MEAN
    if reduction == "sum":
        return SUM
    if reduction == "none":
        return NONE
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use "
                      "reduction='mean' instead.", stacklevel=2)
        return MEAN
    raise ValueError(f"{reduction} is not a valid value for reduction")


cdef Tensor reduce_loss(Tensor loss, int reduction):
    if reduction == NONE:
        return loss
    return c_mean(loss) if reduction == MEAN else c_sum(loss)


# ---- the op ----

cdef Tensor apply(const Pair* op, Tensor x, Tensor t, int reduction, double p=0):
    """l(x, t), reduced; x and t are broadcast against each other."""
    cdef int64_t[MAX_DIMS] shape
    cdef Node node = None
    cdef Scalar[2] s
    cdef Tensor y
    cdef int rank, code = x.code
    if x.code != t.code:
        code = code_with_tensor(x, t)
    if not is_float(code):
        raise NotImplementedError(
            f"\"{op.each.name.decode()}_cpu\" not implemented for '{dtype_word(code)}'")
    if not same_shape(x, t):
        rank = broadcast(x, t, shape)
        x = c_expand(x, rank, shape)
        t = c_expand(t, rank, shape)
    same_device(x, t)
    if needs_grad2(x, t):
        node = new_node(pair_backward, op.title)
        save(node, 0, x)
        save(node, 1, t)
        node.i0 = reduction
        node.i3 = <int64_t>op
        node.f0 = p
    s[0].f = p
    if reduction == NONE:
        y = binary(op.each, PROMOTE, x, t, NULL, None, s, 1)
    else:
        s[1].i = reduction == MEAN
        y = whole(op, x, t, code, s)
    if node is not None:
        link_pair(node, 0, x, y)
        link_pair(node, 1, t, y)
        attach(y, node)
    return y


cdef int link_pair(Node node, int i, Tensor x, Tensor y) except -1:
    """Gradients have x's shape and, where dtypes are mixed, y's dtype."""
    link_fitted(node, i, x, x)
    if x.code != y.code:
        if node.fits is None:
            node.fits = []
        while len(node.fits) <= i:
            node.fits.append(None)
        node.fits[i] = (<int>x.code, list(size_of(x)))
    return 0


cdef Tensor whole(const Pair* op, Tensor x, Tensor t, int code, const Scalar* s):
    cdef View[3] v
    cdef Tensor y = empty_beside(x, 0, NULL, code)
    x = contiguous(x)
    t = contiguous(t)
    view_of(&v[0], y)
    view_of(&v[1], x)
    view_of(&v[2], t)
    run(op.whole, v, 3, 1, s, 2, compute_of[code], y.storage.device)
    return y


cdef int pair_backward(Node node, Tensor gy) except -1:
    """dl = dl/dx dx + dl/dt dt"""
    cdef const Pair* op = <const Pair*>node.i3
    cdef Tensor x = saved(node, 0), t = saved(node, 1), gx = None
    cdef Scalar[2] s
    s[0].f = node.f0
    s[1].f = 1.0 / <double>x.count if node.i0 == MEAN else 1
    if wants(node, 0) or op.target_slope == NULL:
        if grad_mode():
            gx = c_mul(c_mul_number(gy, s[1].f), op.slope(x, t, node.f0))
        else:
            gx = ternary(op.gradient, PROMOTE, gy, x, t, None, s, 2)
        if wants(node, 0):
            send(node, 0, gx)
    if wants(node, 1):
        if op.target_slope == NULL:
            send(node, 1, c_neg(gx))
        else:
            send(node, 1, c_mul(c_mul_number(gy, s[1].f),
                                op.target_slope(x, t, node.f0)))
    return 0


cdef int warn_of_broadcast(Tensor x, Tensor t) except -1:
    if same_shape(x, t):
        return 0
    warnings.warn(
        f"Using a target size ({size_of(t)}) that is different to the input size "
        f"({size_of(x)}). This will likely lead to incorrect results due to "
        "broadcasting. Please ensure they have the same size.", stacklevel=2)
    return 0


cdef Tensor weighted(const Pair* op, Tensor x, Tensor t, object weight, int reduction,
                     double p, bint over_weights):
    """The losses times weights; their mean may be over the weights."""
    cdef Tensor w = weight, y
    if not same_shape(w, x):
        raise ValueError("Weights and input must have the same size.")
    y = c_mul(apply(op, x, t, NONE, p), w)
    if over_weights and reduction == MEAN:
        return c_div(c_sum(y), c_sum(w))
    return reduce_loss(y, reduction)


# ---- losses of the difference ----

cdef Pair MSE = define("mse_loss", mse_loss_loops, mse_loss_backward_loops, d_mse)

cdef Tensor d_mse(Tensor x, Tensor t, double p):
    """d((x - t)^2) = 2 (x - t) dx"""
    return c_mul_number(c_sub(x, t), 2)

cdef Tensor c_mse_loss(Tensor x, Tensor t, int reduction):
    return apply(&MSE, x, t, reduction)


def mse_loss(Tensor input not None, Tensor target not None, size_average=None,
             reduce=None, reduction="mean", weight=None):
    """Return the squared differences, averaged, summed or (``"none"``) as they are.

    Example:
        >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
        2.0
    """
    warn_of_broadcast(input, target)
    cdef int how = read_reduction(reduction, size_average, reduce)
    if weight is not None:
        return weighted(&MSE, input, target, weight, how, 0, True)
    return apply(&MSE, input, target, how)


cdef Pair L1 = define("l1_loss", l1_loss_loops, l1_loss_backward_loops, d_l1)

cdef Tensor d_l1(Tensor x, Tensor t, double p):
    """d|x - t| = sign(x - t) dx"""
    return c_sub(c_to(c_gt(x, t), x.code), c_to(c_lt(x, t), x.code))


def l1_loss(Tensor input not None, Tensor target not None, size_average=None,
            reduce=None, reduction="mean", weight=None):
    """Return the absolute differences, averaged, summed or as they are."""
    warn_of_broadcast(input, target)
    cdef int how = read_reduction(reduction, size_average, reduce)
    if weight is not None:
        return weighted(&L1, input, target, weight, how, 0, True)
    return apply(&L1, input, target, how)


cdef Pair SMOOTH_L1 = define(
    "smooth_l1_loss", smooth_l1_loss_loops, smooth_l1_loss_backward_loops, d_smooth_l1)

cdef Tensor d_smooth_l1(Tensor x, Tensor t, double beta):
    """dl = (x - t) / beta dx between -1 and 1"""
    return c_clamp(c_div_number(c_sub(x, t), beta), -1, 1)


def smooth_l1_loss(Tensor input not None, Tensor target not None, size_average=None,
                   reduce=None, reduction="mean", double beta=1.0):
    """Return ``d^2 / (2 beta)`` for differences d up to `beta`, and linear growth
    beyond.
    """
    warn_of_broadcast(input, target)
    cdef int how = read_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return apply(&L1, input, target, how)
    return apply(&SMOOTH_L1, input, target, how, beta)


cdef Pair HUBER = define(
    "huber_loss", huber_loss_loops, huber_loss_backward_loops, d_huber)

cdef Tensor d_huber(Tensor x, Tensor t, double delta):
    """dl = (x - t) dx between -delta and delta"""
    return c_clamp(c_sub(x, t), -delta, delta)


def huber_loss(Tensor input not None, Tensor target not None, reduction="mean",
               double delta=1.0, weight=None):
    """Return ``d^2 / 2`` for differences d up to `delta`, and linear growth beyond."""
    warn_of_broadcast(input, target)
    cdef int how = read_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None:
        return weighted(&HUBER, input, target, weight, how, delta, False)
    return apply(&HUBER, input, target, how, delta)


# ---- losses of probabilities ----

cdef Pair BCE = define("binary_cross_entropy", binary_cross_entropy_loops,
                       binary_cross_entropy_backward_loops, d_bce, d_bce_target)
cdef Kernel* REFUSE_OUTSIDE_UNIT = register_kernel(
    "refuse_outside_unit", <Driver>refuse_outside_unit_driver, NULL)

cdef Tensor d_bce(Tensor x, Tensor t, double p):
    """d(-t log(x) - (1 - t) log(1 - x)) = ((1 - t) / (1 - x) - t / x) dx"""
    cdef Tensor rest = c_clamp(c_rsub_number(x, 1), 1e-12, 1)
    return c_sub(c_div(c_rsub_number(t, 1), rest), c_div(t, c_clamp(x, 1e-12, 1)))

cdef Tensor d_bce_target(Tensor x, Tensor t, double p):
    """dl = (log(1 - x) - log(x)) dt"""
    return c_sub(c_log1p(c_neg(x)), c_log(x))

cdef int check_unit(Tensor x) except -1:
    cdef View v
    x = contiguous(x)
    view_of(&v, x)
    try:
        run(REFUSE_OUTSIDE_UNIT, &v, 1, 0, NULL, 0, compute_of[x.code],
            x.storage.device)
    except RuntimeError:
        raise RuntimeError("all elements of input should be between 0 and 1") from None
    return 0


def binary_cross_entropy(Tensor input not None, Tensor target not None, weight=None,
                         size_average=None, reduce=None, reduction="mean"):
    """Return the cross-entropy of probabilities against targets between 0 and 1."""
    cdef int64_t[MAX_DIMS] shape
    cdef int rank, how = read_reduction(reduction, size_average, reduce)
    cdef Tensor w
    if not same_shape(input, target):
        raise ValueError(
            f"Using a target size ({size_of(target)}) that is different to the input "
            f"size ({size_of(input)}) is deprecated. Please ensure they have the same "
            "size.")
    if input.code != target.code:
        raise RuntimeError(f"Found dtype {dtype_word(target.code)} but expected "
                           f"{dtype_word(input.code)}")
    if is_float(input.code):
        check_unit(input)
    if weight is None:
        return apply(&BCE, input, target, how)
    w = weight
    rank = broadcast(target, w, shape)
    w = c_expand(w, rank, shape)
    return reduce_loss(c_mul(apply(&BCE, input, target, NONE), w), how)


cdef Pair BCE_WITH_LOGITS = define(
    "binary_cross_entropy_with_logits", binary_cross_entropy_with_logits_loops,
    binary_cross_entropy_with_logits_backward_loops, d_bce_with_logits,
    d_bce_with_logits_target)

cdef Tensor d_bce_with_logits(Tensor x, Tensor t, double p):
    """d(log(1 + exp(x)) - t x) = (sigmoid(x) - t) dx"""
    return c_sub(c_sigmoid(x), t)

cdef Tensor d_bce_with_logits_target(Tensor x, Tensor t, double p):
    """dl = -x dt"""
    return c_neg(x)


def _bce_with_logits(Tensor input not None, Tensor target not None, reduction):
    """The loss without any weights."""
    return apply(&BCE_WITH_LOGITS, input, target, read_reduction(reduction))


cdef Pair KL_DIV = define("kl_div", kl_div_loops, kl_div_backward_loops, d_kl_div,
                          d_kl_div_target)

cdef Tensor d_kl_div(Tensor x, Tensor t, double logarithm):
    """d(t (log(t) - x)) = -t dx, where t may be given as its logarithm"""
    return c_neg(c_exp(t) if logarithm else t)

cdef Tensor d_kl_div_target(Tensor x, Tensor t, double logarithm):
    """dl = (log(t) - x + 1) dt, or that times t for the logarithm of t"""
    if logarithm:
        return c_mul(c_exp(t), c_add_number(c_sub(t, x), 1))
    return c_add_number(c_sub(c_log(t), x), 1)


def kl_div(Tensor input not None, Tensor target not None, size_average=None,
           reduce=None, reduction="mean", log_target=False):
    """Return the divergence of log-probabilities `input` from `target`.

    ``reduction="batchmean"`` divides the sum by the first size, as the definition does.
    """
    cdef double logarithm = bool(log_target)
    cdef Tensor y
    if size_average is None and reduce is None:
        if reduction == "batchmean":
            y = apply(&KL_DIV, input, target, SUM, logarithm)
            return c_div_number(y, input.sizes[0]) if input.rank else y
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and "
                "the support size.'batchmean' divides only by the batch size, and "
                "aligns with the KL div math definition.'mean' will be changed to "
                "behave the same as 'batchmean' in the next major release.",
                stacklevel=2)
    return apply(&KL_DIV, input, target,
                 read_reduction(reduction, size_average, reduce), logarithm)


# ---- the soft margin ----

cdef Pair SOFT_MARGIN = define("soft_margin_loss", soft_margin_loss_loops,
                               soft_margin_loss_backward_loops, d_soft_margin, d_none)

cdef Tensor d_soft_margin(Tensor x, Tensor t, double p):
    """d log(1 + exp(-t x)) = -t sigmoid(-t x) dx"""
    return c_neg(c_mul(t, c_sigmoid(c_neg(c_mul(t, x)))))

cdef Tensor d_none(Tensor x, Tensor t, double p):
    raise RuntimeError("the derivative for 'target' is not implemented")


def soft_margin_loss(Tensor input not None, Tensor target not None, size_average=None,
                     reduce=None, reduction="mean"):
    """Return ``log(1 + exp(-target * input))`` for targets 1 and -1."""
    cdef int how = read_reduction(reduction, size_average, reduce)
    if needs_grad(target):
        raise RuntimeError("the derivative for 'target' is not implemented")
    return apply(&SOFT_MARGIN, input, target, how)
