"""Magnitude, sign and rounding for the other families."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_abs(Tensor x)
cdef Tensor c_sign(Tensor x)
cdef Tensor c_floor(Tensor x)
cdef Tensor c_trunc(Tensor x)
