"""Joining tensors, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_cat(list tensors, int dim)      # dim counts from 0
cdef Tensor c_stack(list tensors, int dim)    # 0 <= dim <= rank
cdef Tensor c_narrow(Tensor x, int dim, int64_t start, int64_t length)
