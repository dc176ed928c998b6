"""Powers for the other families; all recorded."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_pow(Tensor a, Tensor b)
cdef Tensor c_pow_number(Tensor x, double exponent)
