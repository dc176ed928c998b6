"""Vector norms for the other families; recorded."""

from libc.stdint cimport uint64_t

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_norm(Tensor x, double p, uint64_t dims=*, bint keepdim=*)
cdef Tensor c_absolute_power(Tensor x, double p)   # |x|^p, 0 at 0 unless p is 0
cdef Tensor c_signed_power(Tensor x, double p)     # sgn(x) |x|^p, 0 at 0
