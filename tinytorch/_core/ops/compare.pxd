"""Comparisons and predicates for the other families; results are bool tensors."""

from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

cdef Tensor c_eq(Tensor a, Tensor b)
cdef Tensor c_ne(Tensor a, Tensor b)
cdef Tensor c_lt(Tensor a, Tensor b)
cdef Tensor c_le(Tensor a, Tensor b)
cdef Tensor c_gt(Tensor a, Tensor b)
cdef Tensor c_ge(Tensor a, Tensor b)
cdef Tensor c_eq_number(Tensor x, double value)
cdef Tensor c_ne_number(Tensor x, double value)
cdef Tensor c_lt_number(Tensor x, double value)
cdef Tensor c_le_number(Tensor x, double value)
cdef Tensor c_gt_number(Tensor x, double value)
cdef Tensor c_ge_number(Tensor x, double value)
cdef Tensor c_isnan(Tensor x)
cdef Tensor c_isfinite(Tensor x)
cdef Tensor c_logical_not(Tensor x)
cdef Tensor c_logical_and(Tensor a, Tensor b)
cdef Tensor c_logical_or(Tensor a, Tensor b)
# Wraps an integer to the range of elements.
cdef int narrow(Number* n, int code) except -1
