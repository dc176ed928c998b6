"""Activation functions: each a row of `pointwise`, with its numbers as f0, f1, f2."""

from libc.math cimport M_PI, M_SQRT1_2, NAN, sqrt

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_add_number, c_div, c_div_number, c_mul, c_mul_number, c_neg,
    c_rsub_number, c_square)
from tinytorch._core.ops.circular cimport c_tanh
from tinytorch._core.ops.compare cimport (
    c_ge_number, c_gt_number, c_le_number, c_logical_and, c_logical_not, c_logical_or,
    c_lt_number)
from tinytorch._core.ops.elementwise cimport PROMOTE, deliver
from tinytorch._core.ops.pointwise cimport (
    INPUT, NO_BOOLS, ONLY_FLOATS, OUTPUT, Loops, Op, Slope, apply, c_exp, c_sigmoid,
    define, describe_twins, result)
from tinytorch._core.ops.rounding cimport c_abs
from tinytorch._core.ops.select cimport c_where, c_where_number
from tinytorch._core.ops.special cimport c_erf
from tinytorch._core.ops.shape cimport dtype_word
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport BF16, BOOL, F16, F64, U8

__all__ = ["relu", "relu_", "selu", "selu_", "celu", "celu_", "hardshrink", "threshold",
           "threshold_", "logit", "logit_"]
METHODS = ["relu", "relu_", "hardshrink", "logit", "logit_"]
SPECIAL = ["logit"]
FUNCTIONAL = [
    "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "celu",
    "celu_", "selu", "selu_", "gelu", "silu", "mish",
    "softplus", "softsign", "hardtanh",
    "hardtanh_", "hardswish", "hardsigmoid", "hardshrink", "softshrink", "tanhshrink",
    "threshold", "threshold_", "_threshold", "logsigmoid"]

cdef extern from *:
    """
    #include "map_activation.h"
    #include "activation_backward.h"
    #include "select.h"
    TT_LOOPS(relu) TT_FLOAT_LOOPS(relu_backward) TT_FLOAT_LOOPS(leaky_relu)
    TT_FLOAT_LOOPS(leaky_relu_backward) TT_FLOAT_LOOPS(elu) TT_FLOAT_LOOPS(elu_backward)
    TT_FLOAT_LOOPS(gelu) TT_FLOAT_LOOPS(gelu_backward) TT_FLOAT_LOOPS(gelu_tanh)
    TT_FLOAT_LOOPS(gelu_tanh_backward) TT_FLOAT_LOOPS(silu)
    TT_FLOAT_LOOPS(silu_backward) TT_FLOAT_LOOPS(mish)
    TT_FLOAT_LOOPS(mish_backward) TT_FLOAT_LOOPS(softplus)
    TT_FLOAT_LOOPS(softplus_backward) TT_FLOAT_LOOPS(softsign)
    TT_FLOAT_LOOPS(softsign_backward) TT_FLOAT_LOOPS(log_sigmoid)
    TT_FLOAT_LOOPS(log_sigmoid_backward) TT_FLOAT_LOOPS(tanhshrink)
    TT_LOOPS(clamp) TT_FLOAT_LOOPS(hardtanh_backward) TT_FLOAT_LOOPS(hardswish)
    TT_FLOAT_LOOPS(hardswish_backward) TT_FLOAT_LOOPS(hardsigmoid)
    TT_FLOAT_LOOPS(hardsigmoid_backward) TT_FLOAT_LOOPS(hardshrink)
    TT_FLOAT_LOOPS(hardshrink_backward) TT_FLOAT_LOOPS(softshrink)
    TT_LOOPS(threshold) TT_FLOAT_LOOPS(threshold_backward) TT_FLOAT_LOOPS(logit)
    TT_FLOAT_LOOPS(logit_backward)
    """
    Loops relu_loops, relu_backward_loops, leaky_relu_loops, leaky_relu_backward_loops
    Loops elu_loops, elu_backward_loops, gelu_loops, gelu_backward_loops
    Loops gelu_tanh_loops, gelu_tanh_backward_loops, silu_loops, silu_backward_loops
    Loops mish_loops, mish_backward_loops, softplus_loops, softplus_backward_loops
    Loops softsign_loops, softsign_backward_loops, log_sigmoid_loops
    Loops log_sigmoid_backward_loops, tanhshrink_loops, clamp_loops
    Loops hardtanh_backward_loops, hardswish_loops, hardswish_backward_loops
    Loops hardsigmoid_loops, hardsigmoid_backward_loops, hardshrink_loops
    Loops hardshrink_backward_loops, softshrink_loops, threshold_loops
    Loops threshold_backward_loops, logit_loops, logit_backward_loops


cdef Op floats(str name, Loops loops, Slope slope, Loops gradient, double flops,
               int scalars, const char* title) except *:
    """An op that takes no integers and keeps its input."""
    cdef Op op = define(name, loops, INPUT, slope, gradient, flops, PROMOTE)
    op.refuses = ONLY_FLOATS
    op.scalars = scalars
    op.title = title
    return op


# ---- linear pieces ----

cdef Op RELU = define(
    "relu", relu_loops, OUTPUT, d_relu, relu_backward_loops, 1, PROMOTE)

cdef Tensor d_relu(Node node, Tensor gy, Tensor y):
    """dy = dx where y > 0"""
    return c_where_number(c_logical_not(c_le_number(y, 0)), gy, 0)


def relu(Tensor input not None, bint inplace=False):
    """Return the elements, but at least 0."""
    return rectified(input, input if inplace else None)


def relu_(Tensor self not None): return rectified(self, self)


cdef Tensor rectified(Tensor x, Tensor into):
    if x.code == BOOL:
        raise RuntimeError("Boolean inputs not supported for relu")
    return apply(&RELU, x, into)

cdef Tensor c_relu(Tensor x):
    return rectified(x, None)


cdef Op LEAKY_RELU = floats("leaky_relu", leaky_relu_loops, d_leaky_relu,
                            leaky_relu_backward_loops, 1, 1, b"LeakyReluBackward0")

cdef Tensor d_leaky_relu(Node node, Tensor gy, Tensor x):
    """dy = dx where x > 0, else slope dx"""
    return c_where(c_gt_number(x, 0), gy, c_mul_number(gy, node.f0))


def leaky_relu(Tensor input not None, double negative_slope=0.01, bint inplace=False):
    """Return the elements, negative ones times `negative_slope`."""
    return apply(&LEAKY_RELU, input, input if inplace else None, negative_slope)


def leaky_relu_(Tensor input not None, double negative_slope=0.01):
    return apply(&LEAKY_RELU, input, input, negative_slope)


cdef Tensor c_leaky_relu(Tensor x, double slope):
    return apply(&LEAKY_RELU, x, None, slope)


cdef Op HARDTANH = define(
    "hardtanh", clamp_loops, INPUT, d_hardtanh, hardtanh_backward_loops, 1, PROMOTE)
HARDTANH.scalars = 2

cdef Tensor d_hardtanh(Node node, Tensor gy, Tensor x):
    """dy = dx strictly between the bounds"""
    return c_where_number(
        c_logical_and(c_gt_number(x, node.f0), c_lt_number(x, node.f1)), gy, 0)

cdef Tensor limited(Tensor x, double low, double high, Tensor into):
    if x.code == BOOL:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if x.code == U8 and (low < 0 or high < 0):
        raise RuntimeError(
            "cannot do hardtanh on an unsigned type with negative limits")
    if low > high:
        raise ValueError("min_val cannot be greater than max_val")
    return apply(&HARDTANH, x, into, low, high)


def hardtanh(Tensor input not None, double min_val=-1.0, double max_val=1.0,
             bint inplace=False):
    """Return the elements limited to ``[min_val, max_val]``."""
    return limited(input, min_val, max_val, input if inplace else None)


def hardtanh_(Tensor input not None, double min_val=-1.0, double max_val=1.0):
    return limited(input, min_val, max_val, input)


def relu6(Tensor input not None, bint inplace=False):
    """Return the elements limited to ``[0, 6]``."""
    return limited(input, 0, 6, input if inplace else None)


cdef Op THRESHOLD = define("threshold", threshold_loops, INPUT, d_threshold,
                           threshold_backward_loops, 1, PROMOTE)
THRESHOLD.scalars = 2
THRESHOLD.refuses = NO_BOOLS

cdef Tensor d_threshold(Node node, Tensor gy, Tensor x):
    """dy = dx where x > threshold"""
    return c_where_number(c_logical_not(c_le_number(x, node.f0)), gy, 0)


def threshold(Tensor input not None, double threshold, double value,
              bint inplace=False):
    """Return the elements above `threshold`, and `value` in place of the others."""
    return apply(&THRESHOLD, input, input if inplace else None, threshold, value)


_threshold = threshold  # PyTorch's functional has it under this name as well


def threshold_(Tensor input not None, double threshold, double value):
    return apply(&THRESHOLD, input, input, threshold, value)


cdef Op HARDSIGMOID = floats("hardsigmoid", hardsigmoid_loops, d_hardsigmoid,
                             hardsigmoid_backward_loops, 4, 0, b"HardsigmoidBackward0")

cdef Tensor d_hardsigmoid(Node node, Tensor gy, Tensor x):
    """dy = dx / 6 where |x| < 3"""
    return c_where_number(c_lt_number(c_abs(x), 3), c_div_number(gy, 6), 0)


def hardsigmoid(Tensor input not None, bint inplace=False):
    """Return ``relu6(x + 3) / 6``."""
    return apply(&HARDSIGMOID, input, input if inplace else None)


cdef Op HARDSWISH = floats("hardswish", hardswish_loops, d_hardswish,
                           hardswish_backward_loops, 5, 0, b"HardswishBackward0")

cdef Tensor d_hardswish(Node node, Tensor gy, Tensor x):
    """dy = (x / 3 + 1/2) dx for |x| < 3, dx above, 0 below"""
    cdef Tensor slope = c_add_number(c_div_number(x, 3), 0.5)
    return c_where(c_ge_number(x, 3), gy, c_where_number(
        c_gt_number(x, -3), c_mul(gy, slope), 0))


def hardswish(Tensor input not None, bint inplace=False):
    """Return ``x * relu6(x + 3) / 6``."""
    return apply(&HARDSWISH, input, input if inplace else None)


# ---- shrinkage ----


cdef Op HARDSHRINK = floats("hardshrink", hardshrink_loops, d_shrink,
                            hardshrink_backward_loops, 1, 1, b"HardshrinkBackward0")
cdef Op SOFTSHRINK = floats("softshrink", softshrink_loops, d_shrink,
                            hardshrink_backward_loops, 1, 1, b"SoftshrinkBackward0")

cdef Tensor d_shrink(Node node, Tensor gy, Tensor x):
    """dy = dx outside [-lambda, lambda]"""
    return c_where_number(
        c_logical_or(c_gt_number(x, node.f0), c_lt_number(x, -node.f0)), gy, 0)


def hardshrink(Tensor input not None, double lambd=0.5, *, out=None):
    """Return the elements, those within ``[-lambd, lambd]`` as 0."""
    return deliver(apply(&HARDSHRINK, input, None, lambd), out)


def softshrink(Tensor input not None, double lambd=0.5, *, out=None):
    """Return the elements moved towards 0 by `lambd`, but not across it."""
    if not lambd >= 0:
        raise RuntimeError(
            f"lambda must be in range [0, {largest(input.code)}] for input dtype "
            f"{dtype_word(input.code)}, but found {lambd:g}")
    return deliver(apply(&SOFTSHRINK, input, None, lambd), out)


cdef str largest(int code):
    return ("1.79769e+308" if code == F64 else "65504" if code == F16 else
            "3.38953e+38" if code == BF16 else "3.40282e+38")


cdef Op TANHSHRINK = define(
    "tanhshrink", tanhshrink_loops, INPUT, d_tanhshrink, NULL, 13)
TANHSHRINK.title = b"SubBackward0"
TANHSHRINK.refuses = NO_BOOLS

cdef Tensor d_tanhshrink(Node node, Tensor gy, Tensor x):
    """dy = tanh(x)^2 dx"""
    return c_mul(gy, c_square(c_tanh(x)))


def tanhshrink(Tensor input not None):
    """Return ``x - tanh(x)``."""
    return apply(&TANHSHRINK, input, None)


# ---- exponential pieces ----


cdef Op ELU = floats(
    "elu", elu_loops, d_elu, elu_backward_loops, 12, 3, b"EluBackward0")
cdef Op CELU = ELU
CELU.title = b"CeluBackward0"
cdef double SELU_ALPHA = 1.6732632423543772848170429916717
cdef double SELU_SCALE = 1.0507009873554804934193349852946

cdef Tensor d_elu(Node node, Tensor gy, Tensor x):
    """d(s (x or a (e^(k x) - 1))) = s dx where x > 0, else s a k e^(k x) dx"""
    cdef Tensor slope = c_mul_number(
        c_exp(c_mul_number(x, node.f2)), node.f0 * node.f1 * node.f2)
    return c_where(c_gt_number(x, 0), c_mul_number(gy, node.f1), c_mul(gy, slope))


def elu(Tensor input not None, double alpha=1.0, bint inplace=False):
    """Return x where positive, else ``alpha * (exp(x) - 1)``."""
    return apply(&ELU, input, input if inplace else None, alpha, 1, 1)


def elu_(Tensor input not None, double alpha=1.0):
    return apply(&ELU, input, input, alpha, 1, 1)


cdef Tensor celu_of(Tensor x, double alpha, Tensor into):
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return apply(&CELU, x, into, alpha, 1, 1 / alpha)


def celu(Tensor input not None, double alpha=1.0, bint inplace=False):
    """Return x where positive, else ``alpha * (exp(x / alpha) - 1)``."""
    return celu_of(input, alpha, input if inplace else None)


def celu_(Tensor input not None, double alpha=1.0):
    return celu_of(input, alpha, input)


def selu(Tensor input not None, bint inplace=False):
    """Return `elu` with the slope and the scale that keep mean 0 and variance 1."""
    return apply(&ELU, input, input if inplace else None, SELU_ALPHA, SELU_SCALE, 1)


def selu_(Tensor input not None):
    return apply(&ELU, input, input, SELU_ALPHA, SELU_SCALE, 1)


# ---- smooth ones ----


cdef Op GELU = floats("gelu", gelu_loops, d_gelu, gelu_backward_loops, 15, 0,
                      b"GeluBackward0")
cdef Op GELU_TANH = floats("gelu_tanh", gelu_tanh_loops, d_gelu_tanh,
                           gelu_tanh_backward_loops, 18, 0, b"GeluBackward0")

cdef Tensor d_gelu(Node node, Tensor gy, Tensor x):
    """dy = (Phi(x) + x phi(x)) dx with the normal distribution Phi and density phi"""
    cdef Tensor cdf = c_mul_number(
        c_add_number(c_erf(c_mul_number(x, M_SQRT1_2)), 1), 0.5)
    cdef Tensor density = c_mul_number(
        c_exp(c_mul_number(c_square(x), -0.5)), 1 / sqrt(2 * M_PI))
    return c_mul(gy, c_add(cdf, c_mul(x, density)))

cdef Tensor d_gelu_tanh(Node node, Tensor gy, Tensor x):
    """dy = ((1 + t) / 2 + x (1 - t^2) u' / 2) dx with t = tanh(u), u a cubic in x"""
    cdef double beta = sqrt(2 / M_PI), kappa = 0.044715
    cdef Tensor z = c_square(x)
    cdef Tensor t = c_tanh(c_mul_number(
        c_mul(x, c_add_number(c_mul_number(z, kappa), 1)), beta))
    cdef Tensor du = c_add_number(c_mul_number(z, 3 * kappa * beta), beta)
    cdef Tensor curve = c_mul(c_mul(x, du), c_rsub_number(c_square(t), 1))
    return c_mul(gy, c_mul_number(c_add_number(c_add(t, curve), 1), 0.5))


def gelu(Tensor input not None, *, str approximate="none", out=None):
    """Return ``x * Phi(x)``, Phi the normal distribution; 'tanh' approximates it."""
    if approximate == "none":
        return result(&GELU, input, out)
    if approximate == "tanh":
        return result(&GELU_TANH, input, out)
    raise RuntimeError("approximate argument must be either none or tanh.")


cdef Tensor c_gelu(Tensor x):
    return apply(&GELU, x, None)


cdef Op SILU = floats("silu", silu_loops, d_silu, silu_backward_loops, 13, 0,
                      b"SiluBackward0")

cdef Tensor d_silu(Node node, Tensor gy, Tensor x):
    """dy = s (1 + x (1 - s)) dx with s = sigmoid(x)"""
    cdef Tensor s = c_sigmoid(x)
    return c_mul(gy, c_mul(s, c_add_number(c_mul(x, c_rsub_number(s, 1)), 1)))


def silu(Tensor input not None, bint inplace=False):
    """Return ``x * sigmoid(x)``."""
    return apply(&SILU, input, input if inplace else None)


cdef Tensor c_silu(Tensor x):
    return apply(&SILU, x, None)


cdef Op MISH = floats("mish", mish_loops, d_mish, mish_backward_loops, 15, 0,
                      b"MishBackward0")

cdef Tensor d_mish(Node node, Tensor gy, Tensor x):
    """dy = (t + x (1 - t^2) sigmoid(x)) dx with t = tanh(softplus(x))"""
    cdef Tensor t = c_tanh(apply(&SOFTPLUS, x, None, 1, 20))
    return c_mul(gy, c_add(t, c_mul(
        c_mul(x, c_sigmoid(x)), c_rsub_number(c_square(t), 1))))


def mish(Tensor input not None, bint inplace=False):
    """Return ``x * tanh(softplus(x))``."""
    return apply(&MISH, input, input if inplace else None)


cdef Op SOFTPLUS = floats("softplus", softplus_loops, d_softplus,
                          softplus_backward_loops, 20, 2, b"SoftplusBackward0")

cdef Tensor d_softplus(Node node, Tensor gy, Tensor x):
    """dy = sigmoid(beta x) dx, and dx where beta x > threshold"""
    cdef Tensor z = c_mul_number(x, node.f0)
    return c_where(c_gt_number(z, node.f1), gy, c_mul(gy, c_sigmoid(z)))


def softplus(Tensor input not None, double beta=1, double threshold=20, *, out=None):
    """Return ``log(1 + exp(beta * x)) / beta``; x where ``beta * x > threshold``."""
    return deliver(apply(&SOFTPLUS, input, None, beta, threshold), out)


cdef Op LOG_SIGMOID = floats("log_sigmoid", log_sigmoid_loops, d_log_sigmoid,
                             log_sigmoid_backward_loops, 20, 0, b"LogSigmoidBackward0")

cdef Tensor d_log_sigmoid(Node node, Tensor gy, Tensor x):
    """dy = sigmoid(-x) dx"""
    return c_mul(gy, c_sigmoid(c_neg(x)))


def logsigmoid(Tensor input not None, *, out=None):
    """Return ``log(sigmoid(x))``, exact where the sigmoid is nearly 0 or 1."""
    return result(&LOG_SIGMOID, input, out)


cdef Op SOFTSIGN = define(
    "softsign", softsign_loops, INPUT, d_softsign, softsign_backward_loops, 3)
SOFTSIGN.title = b"DivBackward0"
SOFTSIGN.refuses = NO_BOOLS

cdef Tensor d_softsign(Node node, Tensor gy, Tensor x):
    """dy = dx / (1 + |x|)^2"""
    return c_div(gy, c_square(c_add_number(c_abs(x), 1)))


def softsign(Tensor input not None):
    """Return ``x / (1 + |x|)``."""
    return apply(&SOFTSIGN, input, None)


# ---- the inverse of the logistic function ----


cdef Op LOGIT = define("logit", logit_loops, INPUT, d_logit, logit_backward_loops, 12)
LOGIT.scalars = 1

cdef Tensor d_logit(Node node, Tensor gy, Tensor x):
    """dy = dx / (x (1 - x)); without eps NaN outside [0, 1], with it 0 beyond it"""
    cdef double eps = node.f0
    cdef Tensor gx = c_div(gy, c_mul(x, c_rsub_number(x, 1)))
    cdef Tensor inside = c_logical_and(
        c_ge_number(x, max(eps, 0)), c_le_number(x, 1 - max(eps, 0)))
    return c_where_number(inside, gx, NAN if eps < 0 else 0)


def logit(Tensor input not None, eps=None, *, out=None):
    """Return ``log(x / (1 - x))``, with x held within ``[eps, 1 - eps]`` if given."""
    return deliver(apply(&LOGIT, input, None, -1 if eps is None else eps), out)


def logit_(Tensor self not None, eps=None):
    return apply(&LOGIT, self, self, -1 if eps is None else eps)


describe_twins(globals(), FUNCTIONAL + METHODS)
