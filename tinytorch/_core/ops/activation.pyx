"""Activation functions; each is one row of `pointwise`, with its numbers as f0, f1, f2."""

from libc.math cimport M_SQRT1_2, M_SQRT2, INFINITY

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_add_number, c_div, c_div_number, c_mul, c_mul_number, c_neg,
    c_rsub_number, c_square, c_sub)
from tinytorch._core.ops.circular cimport c_tanh
from tinytorch._core.ops.compare cimport (
    c_ge_number, c_gt_number, c_le_number, c_logical_and, c_logical_or, c_lt_number)
from tinytorch._core.ops.elementwise cimport PROMOTE, Number, as_number, deliver
from tinytorch._core.ops.pointwise cimport (
    INPUT, NO_BOOLS, ONLY_FLOATS, OUTPUT, Loops, Op, apply, c_exp, c_log1p, c_reciprocal,
    c_sigmoid, define, describe_twins, refuse_dtype, result)
from tinytorch._core.ops.rounding cimport c_abs, c_sign
from tinytorch._core.ops.select cimport c_where, c_where_number
from tinytorch._core.ops.special cimport c_erf
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport BOOL, BOOLS, FLOATS, U8, is_float
