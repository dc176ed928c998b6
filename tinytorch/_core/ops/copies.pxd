"""Copies, casts and constants for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_contiguous(Tensor x)            # x itself if it is contiguous
cdef Tensor contiguous(Tensor x)              # the same without a graph: for kernels
cdef Tensor c_clone(Tensor x)                 # a contiguous copy
cdef Tensor c_to(Tensor x, int code)          # cast, x itself if it has the dtype
cdef Tensor empty_preserved(Tensor x, int code)  # unset, in x's order of memory
cdef Tensor copy_preserved(Tensor x, int code)   # with x's elements; no graph
cdef Tensor c_detach(Tensor x)
cdef Tensor zeros(int rank, const int64_t* sizes, Tensor like, int code)
cdef Tensor zeros_like(Tensor x)
cdef Tensor ones_like(Tensor x)
