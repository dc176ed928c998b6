"""Ops of two tensors: extrema, angles, signs, logarithms of sums, whole-number ones.

An op is one row, `Pair`: loop, node, promotion, and what it refuses.  All keep both
inputs; a derivative that nobody needs costs nothing.
"""

from libc.math cimport M_LN2

from tinytorch._core.autograd cimport (
    Backward, Node, check_write, grad_mode, needs_grad, needs_grad2, new_node, save,
    saved, send, wants)
from tinytorch._core.executor cimport (
    Kernel, Scalar, View, pointwise, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_add_number, c_div, c_div_number, c_mul, c_mul_number, c_neg, c_square,
    c_sub)
from tinytorch._core.ops.compare cimport (
    c_eq, c_eq_number, c_ge, c_isnan, c_le, c_logical_and, c_logical_not,
    c_le_number, c_logical_or, c_lt, c_ne, c_ne_number)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, PROMOTE_FLOAT, as_tensor, binary, code_with_tensor, deliver, ternary,
    unary)
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport (
    NO_BOOLS, NO_INTEGERS, ONLY_FLOATS, Loops, c_exp2, c_log, c_log1p, c_sigmoid,
    describe_twins, refuse_dtype, save_input, zeros_like)
from tinytorch._core.ops.select cimport c_where, c_where_number
from tinytorch._core.ops.shape cimport c_to
from tinytorch._core.tensor cimport Tensor, empty_as
from tinytorch._core.types cimport (
    BF16, BOOLS, F16, I32, INTEGERS, category_of, compute_of, is_float)

from tinytorch._core.return_types import named_result

__all__ = [
    "maximum", "minimum", "fmax", "fmin", "atan2", "arctan2", "hypot", "copysign",
    "nextafter", "ldexp", "ldexp_", "logaddexp", "logaddexp2", "xlogy", "xlogy_", "gcd",
    "gcd_", "lcm", "lcm_", "heaviside", "frexp"]
METHODS = [*__all__, "atan2_", "arctan2_", "hypot_", "copysign_", "nextafter_",
           "heaviside_"]
SPECIAL = ["xlogy", "xlog1py"]

cdef extern from *:
    """
    #include "zip_arithmetic.h"
    #include "select_backward.h"
    #include "frexp.h"
    #include "nextafter.h"
    static void *nextafter_half_loops[3] = {(void *)nextafter_half_f32, 0, 0};
    #define TT_INT_LOOPS(name) \\
        static void *name##_loops[3] = {0, 0, (void *)name##_i64};
    TT_LOOPS(maximum) TT_LOOPS(minimum) TT_FLOAT_LOOPS(maximum_backward)
    #define fmax_i64 maximum_i64
    #define fmin_i64 minimum_i64
    TT_LOOPS(fmax) TT_LOOPS(fmin)
    TT_FLOAT_LOOPS(atan2) TT_FLOAT_LOOPS(hypot) TT_FLOAT_LOOPS(copysign)
    TT_FLOAT_LOOPS(nextafter) TT_FLOAT_LOOPS(ldexp) TT_FLOAT_LOOPS(logaddexp)
    TT_FLOAT_LOOPS(logaddexp2) TT_FLOAT_LOOPS(xlogy) TT_FLOAT_LOOPS(xlog1py)
    INT_ZIP(heaviside, a == 0 ? b : a > 0)
    TT_INT_LOOPS(gcd) TT_INT_LOOPS(lcm) TT_LOOPS(heaviside)
    TT_FLOAT_LOOPS(mantissa) TT_FLOAT_LOOPS(exponent)
    """
    Loops maximum_loops, minimum_loops, maximum_backward_loops, fmax_loops, fmin_loops
    Loops atan2_loops, hypot_loops, copysign_loops, nextafter_loops, ldexp_loops
    Loops logaddexp_loops, logaddexp2_loops, xlogy_loops, xlog1py_loops, gcd_loops
    Loops nextafter_half_loops, lcm_loops, heaviside_loops, mantissa_loops
    Loops exponent_loops


cdef enum:
    NO_FLOATS = 8         # beside NO_BOOLS and NO_INTEGERS


cdef struct Pair:
    const Kernel* kernel
    Backward backward     # NULL: not differentiable
    const char* title
    int rule, refuses


cdef Pair pair(const char* name, Loops loops, Backward backward, const char* title,
               int rule, int refuses, double flops) except *:
    cdef Pair op
    op.kernel = register_kernel(name, pointwise, loops, 0, flops)
    op.backward = backward
    op.title = title
    op.rule = rule
    op.refuses = refuses
    return op


cdef Tensor join(const Pair* op, Tensor a, Tensor b, Tensor into, const Scalar* s=NULL,
                 int scalars=0):
    """y = op(a, b); `into` is None or a itself."""
    cdef Node node = None
    cdef int code, kind
    if op.refuses:
        code = code_with_tensor(a, b)
        kind = category_of(code)
        if (op.refuses & NO_BOOLS and kind == BOOLS
                or op.refuses & NO_INTEGERS and kind == INTEGERS
                or op.refuses & NO_FLOATS and is_float(code)):
            refuse_dtype(op.kernel.name, code)
    if into is not None:
        check_write(into, b)
    if op.backward != NULL and needs_grad2(a, b):
        node = new_node(op.backward, op.title)
        save_input(node, 0, a, into)
        save_input(node, 1, b, into)
    return linked(node, binary(op.kernel, op.rule, a, b, NULL, into, s, scalars), a, b,
                  into)


# ---- extrema ----

cdef Pair MAXIMUM = pair("maximum", maximum_loops, maximum_backward,
                         b"MaximumBackward0", PROMOTE, 0, 1)
cdef Pair MINIMUM = pair("minimum", minimum_loops, minimum_backward,
                         b"MinimumBackward0", PROMOTE, 0, 1)
cdef Pair FMAX = pair("fmax", fmax_loops, fmax_backward, b"FmaxBackward0", PROMOTE, 0,
                      1)
cdef Pair FMIN = pair("fmin", fmin_loops, fmin_backward, b"FminBackward0", PROMOTE, 0,
                      1)
cdef Kernel* SHARE = register_kernel(
    "maximum_backward", pointwise, maximum_backward_loops, 0, 2)


cdef Tensor share(Tensor gy, Tensor a, Tensor b):
    """What the larger operand a gets of gy: all; of a tie each gets half."""
    if not grad_mode():
        return ternary(SHARE, PROMOTE, gy, a, b, None)
    return c_where(c_eq(a, b), c_div_number(gy, 2),
                   c_where_number(c_logical_not(c_lt(a, b)), gy, 0))

cdef int maximum_backward(Node node, Tensor gy) except -1:
    """dy = da where a > b, db where b > a; a tie is split"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    if wants(node, 0):
        send(node, 0, share(gy, a, b))
    if wants(node, 1):
        send(node, 1, share(gy, b, a))
    return 0

cdef int minimum_backward(Node node, Tensor gy) except -1:
    """dy = da where a < b, db where b < a; a tie is split"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    if wants(node, 0):
        send(node, 0, share(gy, b, a))
    if wants(node, 1):
        send(node, 1, share(gy, a, b))
    return 0

cdef int one_of(Node node, Tensor gy, Tensor first) except -1:
    """All of gy to a where `first` holds, else to b."""
    if wants(node, 0):
        send(node, 0, c_where_number(first, gy, 0))
    if wants(node, 1):
        send(node, 1, c_where_number(c_logical_not(first), gy, 0))
    return 0

cdef int fmax_backward(Node node, Tensor gy) except -1:
    """dy = da where a >= b or b is NaN, else db"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    return one_of(node, gy, c_logical_or(c_ge(a, b), c_isnan(b)))

cdef int fmin_backward(Node node, Tensor gy) except -1:
    """dy = da where a <= b or b is NaN, else db"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    return one_of(node, gy, c_logical_or(c_le(a, b), c_isnan(b)))


def maximum(Tensor input not None, Tensor other not None, *, out=None):
    """Return the larger elements; NaN if either is NaN."""
    return deliver(join(&MAXIMUM, input, other, None), out)


def minimum(Tensor input not None, Tensor other not None, *, out=None):
    """Return the smaller elements; NaN if either is NaN."""
    return deliver(join(&MINIMUM, input, other, None), out)


def fmax(Tensor input not None, Tensor other not None, *, out=None):
    """Return the larger elements, a number rather than NaN."""
    return deliver(join(&FMAX, input, other, None), out)


def fmin(Tensor input not None, Tensor other not None, *, out=None):
    """Return the smaller elements, a number rather than NaN."""
    return deliver(join(&FMIN, input, other, None), out)


cdef Tensor c_maximum(Tensor a, Tensor b):
    return join(&MAXIMUM, a, b, None)

cdef Tensor c_minimum(Tensor a, Tensor b):
    return join(&MINIMUM, a, b, None)


# ---- angle and length ----

cdef Pair ATAN2 = pair("atan2", atan2_loops, atan2_backward, b"Atan2Backward0",
                       PROMOTE_FLOAT, 0, 20)
cdef Pair HYPOT = pair("hypot", hypot_loops, hypot_backward, b"HypotBackward0", PROMOTE,
                       ONLY_FLOATS, 4)

cdef int atan2_backward(Node node, Tensor gy) except -1:
    """dy = (b da - a db) / (a^2 + b^2), and 0 at the origin"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    cdef Tensor square = c_add(c_square(a), c_square(b))
    cdef Tensor scale = c_where_number(
        c_logical_not(c_eq_number(square, 0)), c_div(gy, square), 0)
    if wants(node, 0):
        send(node, 0, c_mul(scale, b))
    if wants(node, 1):
        send(node, 1, c_mul(scale, c_neg(a)))
    return 0

cdef int hypot_backward(Node node, Tensor gy) except -1:
    """dy = (a da + b db) / y"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    cdef Tensor y = join(&HYPOT, a, b, None)
    if wants(node, 0):
        send(node, 0, c_mul(gy, c_div(a, y)))
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_div(b, y)))
    return 0


def atan2(Tensor input not None, Tensor other not None, *, out=None):
    """Return the angle of the point (other, input), between -pi and pi."""
    return deliver(join(&ATAN2, input, other, None), out)


def hypot(Tensor input not None, Tensor other not None, *, out=None):
    """Return ``sqrt(input^2 + other^2)``, without overflow on the way."""
    return deliver(join(&HYPOT, input, other, None), out)


def atan2_(Tensor self not None, Tensor other not None):
    return join(&ATAN2, self, other, self)


def hypot_(Tensor self not None, Tensor other not None):
    return join(&HYPOT, self, other, self)


arctan2, arctan2_ = atan2, atan2_


# ---- sign, neighbour, scale, step ----

cdef Pair COPYSIGN = pair("copysign", copysign_loops, copysign_backward,
                          b"CopysignBackward0", PROMOTE_FLOAT, 0, 1)
cdef Pair NEXTAFTER = pair("nextafter", nextafter_loops, nextafter_backward,
                           b"NextafterBackward0", PROMOTE, ONLY_FLOATS, 1)
cdef Pair LDEXP = pair("ldexp", ldexp_loops, ldexp_backward, b"LdexpBackward0",
                       PROMOTE_FLOAT, 0, 10)
cdef Pair HEAVISIDE = pair("heaviside", heaviside_loops, heaviside_backward,
                           b"HeavisideBackward0", PROMOTE, 0, 1)

cdef int copysign_backward(Node node, Tensor gy) except -1:
    """dy = (y / a) da, 0 where a = 0"""
    cdef Tensor a = saved(node, 0), y
    if wants(node, 0):
        y = join(&COPYSIGN, a, saved(node, 1), None)
        send(node, 0, c_mul(gy, c_where_number(c_ne_number(a, 0), c_div(y, a), 0)))
    if wants(node, 1):
        send(node, 1, zeros_like(gy))
    return 0

cdef int ldexp_backward(Node node, Tensor gy) except -1:
    """d(a 2^b) = 2^b da + log(2) y db"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    cdef Tensor power = c_exp2(c_to(b, gy.code))
    if wants(node, 0):
        send(node, 0, c_mul(gy, power))
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_mul_number(c_mul(a, power), M_LN2)))
    return 0

cdef int nextafter_backward(Node node, Tensor gy) except -1:
    """dy = da where a != b, for a step of one unit in the last place is nothing"""
    send(node, 0, c_where_number(c_ne(saved(node, 0), saved(node, 1)), gy, 0))
    return send(node, 1, zeros_like(gy))

cdef int heaviside_backward(Node node, Tensor gy) except -1:
    """PyTorch has none either."""
    raise RuntimeError("derivative for aten::heaviside is not implemented")


def copysign(Tensor input not None, other, *, out=None):
    """Return the magnitudes of `input` with the signs of `other`."""
    return deliver(join(&COPYSIGN, input, as_tensor(other, input), None), out)


def copysign_(Tensor self not None, other):
    return join(&COPYSIGN, self, as_tensor(other, self), self)


cdef Kernel* NEXTAFTER_HALF = register_kernel(
    "nextafter_half", pointwise, nextafter_half_loops, 0, 1)

cdef Tensor neighbour(Tensor a, Tensor b, Tensor into):
    """Half types have neighbours of their own, not those of float32."""
    cdef Scalar[1] s
    cdef Pair op = NEXTAFTER
    cdef int code = code_with_tensor(a, b)
    if code == F16 or code == BF16:
        op.kernel = NEXTAFTER_HALF
        s[0].i = code
    return join(&op, a, b, into, s, 1)


def nextafter(Tensor input not None, Tensor other not None, *, out=None):
    """Return the next representable numbers in the direction of `other`."""
    return deliver(neighbour(input, other, None), out)


def nextafter_(Tensor self not None, Tensor other not None):
    return neighbour(self, other, self)


def ldexp(Tensor input not None, Tensor other not None, *, out=None):
    """Return ``input * 2 ** other``."""
    return deliver(join(&LDEXP, input, other, None), out)


def ldexp_(Tensor self not None, Tensor other not None):
    return join(&LDEXP, self, other, self)


cdef Tensor step(Tensor x, Tensor values, Tensor into):
    if x.code != values.code:
        raise RuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes.")
    return join(&HEAVISIDE, x, values, into)


def heaviside(Tensor input not None, Tensor values not None, *, out=None):
    """Return 0 below 0, 1 above, and `values` at 0."""
    return deliver(step(input, values, None), out)


def heaviside_(Tensor self not None, Tensor values not None):
    return step(self, values, self)


# ---- logarithms ----


cdef Pair LOGADDEXP = pair("logaddexp", logaddexp_loops, logaddexp_backward,
                           b"LogaddexpBackward0", PROMOTE, ONLY_FLOATS, 25)
cdef Pair LOGADDEXP2 = pair("logaddexp2", logaddexp2_loops, logaddexp_backward,
                            b"Logaddexp2Backward0", PROMOTE, ONLY_FLOATS, 25)
cdef Pair XLOGY = pair("xlogy", xlogy_loops, xlogy_backward, b"XlogyBackward0",
                       PROMOTE_FLOAT, 0, 12)
cdef Pair XLOG1PY = pair("xlog1py", xlog1py_loops, xlog1py_backward,
                         b"SpecialXlog1PyBackward0", PROMOTE_FLOAT, 0, 12)

cdef int logaddexp_backward(Node node, Tensor gy) except -1:
    """dy = sigmoid(a - b) da + sigmoid(b - a) db, times log(2) inside for base 2"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    if node.title[9] == b'2':
        a, b = c_mul_number(a, M_LN2), c_mul_number(b, M_LN2)
    if wants(node, 0):
        send(node, 0, c_mul(gy, c_sigmoid(c_sub(a, b))))
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_sigmoid(c_sub(b, a))))
    return 0

cdef int xlogy_backward(Node node, Tensor gy) except -1:
    """d(a log b) = log(b) da + a / b db; the first is 0 where a = 0 and b <= 0"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    cdef Tensor outside
    if wants(node, 0):
        outside = c_logical_and(c_eq_number(a, 0), c_le_number(b, 0))
        send(node, 0, c_where_number(c_logical_not(outside), c_mul(gy, c_log(b)), 0))
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_div(a, b)))
    return 0

cdef int xlog1py_backward(Node node, Tensor gy) except -1:
    """d(a log(1 + b)) = log(1 + b) da + a / (1 + b) db"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1)
    cdef Tensor outside
    if wants(node, 0):
        outside = c_logical_and(c_eq_number(a, 0), c_le_number(b, -1))
        send(node, 0, c_where_number(c_logical_not(outside), c_mul(gy, c_log1p(b)), 0))
    if wants(node, 1):
        send(node, 1, c_mul(gy, c_div(a, c_add_number(b, 1))))
    return 0

cdef Tensor of_any(const Pair* op, object a, object b):
    """Either operand may be a number."""
    if isinstance(a, Tensor):
        return join(op, <Tensor>a, as_tensor(b, <Tensor>a), None)
    if isinstance(b, Tensor):
        return join(op, as_tensor(a, <Tensor>b), <Tensor>b, None)
    raise TypeError(f"{op.kernel.name.decode()}(): one of the operands must be a "
                    f"Tensor, got {type(a).__name__} and {type(b).__name__}")


def logaddexp(Tensor input not None, Tensor other not None, *, out=None):
    """Return ``log(exp(input) + exp(other))``, without overflow on the way."""
    return deliver(join(&LOGADDEXP, input, other, None), out)


def logaddexp2(Tensor input not None, Tensor other not None, *, out=None):
    """Return ``log2(2 ** input + 2 ** other)``, without overflow on the way."""
    return deliver(join(&LOGADDEXP2, input, other, None), out)


def xlogy(input, other, *, out=None):
    """Return ``input * log(other)``, and 0 where `input` is 0."""
    return deliver(of_any(&XLOGY, input, other), out)


def xlogy_(Tensor self not None, other):
    return join(&XLOGY, self, as_tensor(other, self), self)


def xlog1py(input, other, *, out=None):
    """Return ``input * log1p(other)``, and 0 where `input` is 0."""
    return deliver(of_any(&XLOG1PY, input, other), out)


cdef Tensor c_xlogy(Tensor a, Tensor b):
    return join(&XLOGY, a, b, None)


# ---- whole numbers ----

cdef Pair GCD = pair("gcd", gcd_loops, NULL, b"", PROMOTE, NO_FLOATS | NO_BOOLS, 20)
cdef Pair LCM = pair("lcm", lcm_loops, NULL, b"", PROMOTE, NO_FLOATS | NO_BOOLS, 20)


def gcd(Tensor input not None, Tensor other not None, *, out=None):
    """Return the greatest common divisors of integers."""
    return deliver(join(&GCD, input, other, None), out)


def lcm(Tensor input not None, Tensor other not None, *, out=None):
    """Return the least common multiples of integers."""
    return deliver(join(&LCM, input, other, None), out)


def gcd_(Tensor self not None, Tensor other not None):
    return join(&GCD, self, other, self)


def lcm_(Tensor self not None, Tensor other not None):
    return join(&LCM, self, other, self)


# ---- mantissa and exponent ----


cdef Kernel* MANTISSA = register_kernel("mantissa", pointwise, mantissa_loops, 0, 2)
cdef Kernel* EXPONENT = register_kernel("exponent", pointwise, exponent_loops, 0, 2)

FREXP = named_result("frexp", "mantissa exponent")


def frexp(Tensor input not None, *, out=None):
    """Return (mantissa, exponent) with ``input = mantissa * 2 ** exponent``."""
    cdef Node node = None
    cdef View[2] v
    cdef Tensor y, e
    if not is_float(input.code):
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    e = empty_as(input, I32)
    view_of(&v[0], e)
    view_of(&v[1], input)
    run(EXPONENT, v, 2, 1, NULL, 0, compute_of[input.code], input.storage.device)
    if needs_grad(input):
        node = new_node(frexp_backward, b"FrexpBackward0")
        save(node, 0, e)
    y = linked(node, unary(MANTISSA, PROMOTE, input, None), input, None, None)
    if out is None:
        return FREXP(y, e)
    return FREXP(deliver(y, out[0]), deliver(e, out[1]))


cdef int frexp_backward(Node node, Tensor gy) except -1:
    """dy = 2^-exponent dx"""
    cdef Tensor e = saved(node, 0)
    return send(node, 0, c_div(gy, c_exp2(e)))


describe_twins(globals(), METHODS)
