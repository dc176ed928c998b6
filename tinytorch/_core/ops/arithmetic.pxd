"""Arithmetic for the other families: each records a graph while grad mode is on."""

from tinytorch._core.ops.addition cimport (
    add_into, c_add, c_add_number, c_rsub_number, c_sub)
from tinytorch._core.ops.division cimport (
    c_div, c_div_number, c_floor_divide, c_rdiv_number)
from tinytorch._core.ops.multiplication cimport c_mul, c_mul_number, c_neg, c_square
