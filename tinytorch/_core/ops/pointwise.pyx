"""Ops of one tensor, element by element, and the exponentials, logarithms and roots.

An op is one row, `Op`: the loop, what it keeps for its derivative, the derivative as a
composition of ops, and the same in one loop where there is one.  The composition runs
when a graph is recorded in the backward pass, the loop otherwise.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, grad_mode, gradient_ops, link, needs_grad, new_node,
    rebase, save, save_output, saved, send)
from tinytorch._core.executor cimport Scalar, fill_with, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport (
    c_add_number, c_div, c_mul, c_mul_number, c_neg, c_rsub_number, c_square)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, PROMOTE_FLOAT, binary, deliver, unary)
from tinytorch._core.ops.shape cimport dtype_word
from tinytorch._core.tensor cimport Tensor, empty_like
from tinytorch._core.types cimport (
    BF16, BOOLS, COMPUTE_I64, F16, INTEGERS, category_of, compute_of)

__all__ = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt",
    "reciprocal", "sigmoid",
    "exp_", "exp2_", "expm1_", "log_", "log2_", "log10_", "log1p_", "sqrt_", "rsqrt_",
    "reciprocal_", "sigmoid_"]
METHODS = __all__
SPECIAL = ["exp2", "expm1", "log1p", "expit"]
FUNCTIONAL = ["sigmoid"]

cdef extern from *:
    """
    #include "map_math.h"
    #include "map_activation.h"
    #include "math_backward.h"
    #include "activation_backward.h"
    TT_FLOAT_LOOPS(exp) TT_FLOAT_LOOPS(exp2) TT_FLOAT_LOOPS(expm1) TT_FLOAT_LOOPS(log)
    TT_FLOAT_LOOPS(log2) TT_FLOAT_LOOPS(log10) TT_FLOAT_LOOPS(log1p)
    TT_FLOAT_LOOPS(sqrt) TT_FLOAT_LOOPS(rsqrt) TT_FLOAT_LOOPS(reciprocal)
    TT_FLOAT_LOOPS(sigmoid)
    TT_FLOAT_LOOPS(exp_backward) TT_FLOAT_LOOPS(exp2_backward)
    TT_FLOAT_LOOPS(expm1_backward) TT_FLOAT_LOOPS(log_backward)
    TT_FLOAT_LOOPS(log2_backward) TT_FLOAT_LOOPS(log10_backward)
    TT_FLOAT_LOOPS(log1p_backward) TT_FLOAT_LOOPS(sqrt_backward)
    TT_FLOAT_LOOPS(rsqrt_backward) TT_FLOAT_LOOPS(reciprocal_backward)
    TT_FLOAT_LOOPS(sigmoid_backward)
    """
    Loops exp_loops, exp2_loops, expm1_loops, log_loops, log2_loops
    Loops log10_loops, log1p_loops, sqrt_loops, rsqrt_loops, reciprocal_loops
    Loops sigmoid_loops
    Loops exp_backward_loops, exp2_backward_loops, expm1_backward_loops
    Loops log_backward_loops, log2_backward_loops, log10_backward_loops
    Loops log1p_backward_loops, sqrt_backward_loops, rsqrt_backward_loops
    Loops reciprocal_backward_loops, sigmoid_backward_loops

cdef double LN2 = 0.693147180559945309417
cdef double LN10 = 2.302585092994045684018


# ---- what an op is ----

cdef list texts = []  # owns the names that kernels and nodes point at


cdef const char* permanent(str text) except NULL:
    cdef bytes owned = text.encode()
    texts.append(owned)
    return owned


cdef Op define(str name, Loops loops, int keeps, Slope slope, Loops gradient=NULL,
               double flops=1, int rule=PROMOTE_FLOAT) except *:
    """Register an op's kernels; its node is called as PyTorch calls it."""
    cdef Op op
    op.kernel = register_kernel(permanent(name), pointwise, loops, 0, flops)
    op.gradient = NULL
    if gradient != NULL:
        op.gradient = register_kernel(
            permanent(name + "_backward"), pointwise, gradient, 0, flops + 1)
    op.slope = slope
    op.title = permanent(name.title().replace("_", "") + "Backward0")
    op.rule = rule
    op.keeps = keeps
    op.refuses = 0
    op.scalars = 0
    op.integers = False
    return op


cdef Tensor apply(const Op* op, Tensor x, Tensor into, double f0=0, double f1=0,
                  double f2=0):
    """y = op(x); `into` is None or x itself.  f0, f1, f2 are the op's numbers."""
    cdef Scalar[3] s
    cdef Node node = None
    cdef Tensor y
    if op.refuses:
        check_dtype(op, x)
    if into is not None:
        check_inplace(into)
    if op.slope != NULL and needs_grad(x):
        node = new_node(map_backward, op.title)
        node.i3 = <int64_t>op
        node.f0, node.f1, node.f2 = f0, f1, f2
        if op.keeps == INPUT:
            save_input(node, 0, x, into)
    if op.scalars:
        if op.integers or op.rule == PROMOTE and compute_of[x.code] == COMPUTE_I64:
            s[0].i, s[1].i, s[2].i = <int64_t>f0, <int64_t>f1, <int64_t>f2
        else:
            s[0].f, s[1].f, s[2].f = f0, f1, f2
    y = unary(op.kernel, op.rule, x, into, s, op.scalars)
    if node is None:
        return y
    link(node, 0, x)
    if op.keeps == OUTPUT:
        save_output(node, 0, y)
    if into is None:
        attach(y, node)
    else:
        rebase(y, node)
    return y


cdef int save_input(Node node, int k, Tensor x, Tensor into) except -1:
    """Save an input that is about to be written: as a copy, with its history."""
    return save(node, k, gradient_ops.clone(x) if x is into else x)


cdef int map_backward(Node node, Tensor gy) except -1:
    """dy = slope dx"""
    cdef const Op* op = <const Op*>node.i3
    cdef Scalar[3] s
    cdef Tensor k = None
    if op.keeps != NOTHING:
        k = saved(node, 0)
    if op.gradient == NULL or grad_mode():
        return send(node, 0, op.slope(node, gy, k))
    s[0].f, s[1].f, s[2].f = node.f0, node.f1, node.f2
    return send(node, 0, binary(op.gradient, PROMOTE, gy, k, NULL, None, s, op.scalars))


cdef object result(const Op* op, Tensor x, object out):
    return apply(op, x, None) if out is None else deliver(apply(op, x, None), out)


cdef int check_dtype(const Op* op, Tensor x) except -1:
    cdef int kind = category_of(x.code)
    if (op.refuses & NO_BOOLS and kind == BOOLS
            or op.refuses & NO_INTEGERS and kind == INTEGERS
            or op.refuses & NO_HALVES and (x.code == F16 or x.code == BF16)):
        refuse_dtype(op.kernel.name, x.code)
    return 0


cdef int refuse_dtype(const char* name, int code) except -1:
    raise NotImplementedError(
        f"\"{name.decode()}_cpu\" not implemented for '{dtype_word(code)}'")


cdef int describe_twins(dict names, object methods) except -1:
    """Give the in-place twins their docstrings."""
    for name in methods:
        if name.endswith("_") and names[name].__doc__ is None:
            names[name].__doc__ = f"In-place `{name.removesuffix('_')}`."
    return 0


cdef Tensor zeros_like(Tensor x):
    cdef Tensor y = empty_like(x)
    fill_with(y, 0, 0)
    return y


cdef Tensor flat(Node node, Tensor gy, Tensor k):
    """dy = 0"""
    return zeros_like(gy)


# ---- exponentials ----

cdef Op EXP = define("exp", exp_loops, OUTPUT, d_exp, exp_backward_loops, 10)

cdef Tensor d_exp(Node node, Tensor gy, Tensor y):
    """d(e^x) = y dx"""
    return c_mul(gy, y)


def exp(Tensor input not None, *, out=None):
    """Return e to the power of each element."""
    return result(&EXP, input, out)


def exp_(Tensor self not None): return apply(&EXP, self, self)


cdef Tensor c_exp(Tensor x):
    return apply(&EXP, x, None)


cdef Op EXP2 = define("exp2", exp2_loops, OUTPUT, d_exp2, exp2_backward_loops, 10)

cdef Tensor d_exp2(Node node, Tensor gy, Tensor y):
    """d(2^x) = log(2) y dx"""
    return c_mul(gy, c_mul_number(y, LN2))


def exp2(Tensor input not None, *, out=None):
    """Return 2 to the power of each element."""
    return result(&EXP2, input, out)


def exp2_(Tensor self not None): return apply(&EXP2, self, self)


cdef Tensor c_exp2(Tensor x):
    return apply(&EXP2, x, None)


cdef Op EXPM1 = define("expm1", expm1_loops, OUTPUT, d_expm1, expm1_backward_loops, 10)

cdef Tensor d_expm1(Node node, Tensor gy, Tensor y):
    """d(e^x - 1) = (y + 1) dx"""
    return c_mul(gy, c_add_number(y, 1))


def expm1(Tensor input not None, *, out=None):
    """Return ``exp(input) - 1``, exact near 0."""
    return result(&EXPM1, input, out)


def expm1_(Tensor self not None): return apply(&EXPM1, self, self)


cdef Tensor c_expm1(Tensor x):
    return apply(&EXPM1, x, None)


# ---- logarithms ----

cdef Op LOG = define("log", log_loops, INPUT, d_log, log_backward_loops, 10)

cdef Tensor d_log(Node node, Tensor gy, Tensor x):
    """d(log x) = dx / x"""
    return c_div(gy, x)


def log(Tensor input not None, *, out=None):
    """Return the natural logarithm of each element."""
    return result(&LOG, input, out)


def log_(Tensor self not None): return apply(&LOG, self, self)


cdef Tensor c_log(Tensor x):
    return apply(&LOG, x, None)


cdef Op LOG2 = define("log2", log2_loops, INPUT, d_log2, log2_backward_loops, 10)

cdef Tensor d_log2(Node node, Tensor gy, Tensor x):
    """d(log2 x) = dx / (x log 2)"""
    return c_div(gy, c_mul_number(x, LN2))


def log2(Tensor input not None, *, out=None):
    """Return the logarithm to base 2 of each element."""
    return result(&LOG2, input, out)


def log2_(Tensor self not None): return apply(&LOG2, self, self)


cdef Op LOG10 = define("log10", log10_loops, INPUT, d_log10, log10_backward_loops, 10)

cdef Tensor d_log10(Node node, Tensor gy, Tensor x):
    """d(log10 x) = dx / (x log 10)"""
    return c_div(gy, c_mul_number(x, LN10))


def log10(Tensor input not None, *, out=None):
    """Return the logarithm to base 10 of each element."""
    return result(&LOG10, input, out)


def log10_(Tensor self not None): return apply(&LOG10, self, self)


cdef Op LOG1P = define("log1p", log1p_loops, INPUT, d_log1p, log1p_backward_loops, 10)

cdef Tensor d_log1p(Node node, Tensor gy, Tensor x):
    """d(log(1 + x)) = dx / (1 + x)"""
    return c_div(gy, c_add_number(x, 1))


def log1p(Tensor input not None, *, out=None):
    """Return ``log(1 + input)``, exact near 0."""
    return result(&LOG1P, input, out)


def log1p_(Tensor self not None): return apply(&LOG1P, self, self)


cdef Tensor c_log1p(Tensor x):
    return apply(&LOG1P, x, None)


# ---- roots and the reciprocal ----

cdef Op SQRT = define("sqrt", sqrt_loops, OUTPUT, d_sqrt, sqrt_backward_loops)

cdef Tensor d_sqrt(Node node, Tensor gy, Tensor y):
    """dy = dx / (2 y)"""
    return c_div(gy, c_mul_number(y, 2))


def sqrt(Tensor input not None, *, out=None):
    """Return the square root of each element."""
    return result(&SQRT, input, out)


def sqrt_(Tensor self not None): return apply(&SQRT, self, self)


cdef Tensor c_sqrt(Tensor x):
    return apply(&SQRT, x, None)


cdef Op RSQRT = define("rsqrt", rsqrt_loops, OUTPUT, d_rsqrt, rsqrt_backward_loops, 2)

cdef Tensor d_rsqrt(Node node, Tensor gy, Tensor y):
    """dy = -y^3 / 2 dx"""
    return c_mul(c_mul_number(gy, -0.5), c_mul(c_square(y), y))


def rsqrt(Tensor input not None, *, out=None):
    """Return one over the square root of each element."""
    return result(&RSQRT, input, out)


def rsqrt_(Tensor self not None): return apply(&RSQRT, self, self)


cdef Tensor c_rsqrt(Tensor x):
    return apply(&RSQRT, x, None)


cdef Op RECIPROCAL = define(
    "reciprocal", reciprocal_loops, OUTPUT, d_reciprocal, reciprocal_backward_loops)

cdef Tensor d_reciprocal(Node node, Tensor gy, Tensor y):
    """d(1 / x) = -y^2 dx"""
    return c_mul(c_neg(gy), c_square(y))


def reciprocal(Tensor input not None, *, out=None):
    """Return one over each element."""
    return result(&RECIPROCAL, input, out)


def reciprocal_(Tensor self not None): return apply(&RECIPROCAL, self, self)


cdef Tensor c_reciprocal(Tensor x):
    return apply(&RECIPROCAL, x, None)


# ---- the logistic function ----

cdef Op SIGMOID = define(
    "sigmoid", sigmoid_loops, OUTPUT, d_sigmoid, sigmoid_backward_loops, 12)

cdef Tensor d_sigmoid(Node node, Tensor gy, Tensor y):
    """dy = (1 - y) y dx"""
    return c_mul(c_mul(gy, c_rsub_number(y, 1)), y)


def sigmoid(Tensor input not None, *, out=None):
    """Return ``1 / (1 + exp(-input))``."""
    return result(&SIGMOID, input, out)


def sigmoid_(Tensor self not None): return apply(&SIGMOID, self, self)


expit = sigmoid

cdef Tensor c_sigmoid(Tensor x):
    return apply(&SIGMOID, x, None)


describe_twins(globals(), METHODS)
