"""Taking tensors apart, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef tuple c_split(Tensor x, int dim, int64_t size)
cdef tuple c_unbind(Tensor x, int dim)
