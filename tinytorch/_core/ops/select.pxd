"""Choosing between tensors, for the other families; all recorded."""

from tinytorch._core.tensor cimport Tensor

# condition: bool; a and b of one dtype, or cast to their common one
cdef Tensor c_where(Tensor condition, Tensor a, Tensor b)
cdef Tensor c_where_number(Tensor condition, Tensor a, double b)   # a where true, else b
cdef Tensor c_unless(Tensor condition, double a, Tensor b)         # a where true, else b
cdef Tensor c_clamp(Tensor x, double low, double high)
