"""Special functions for the other families; all recorded."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_erf(Tensor x)
cdef Tensor c_erfinv(Tensor x)
cdef Tensor c_lgamma(Tensor x)
cdef Tensor c_digamma(Tensor x)
