"""Gather and scatter for the other families; recorded unless it says otherwise."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef enum:            # what a scatter does where it writes
    SCATTER_SET = 0
    SCATTER_ADD = 1
    SCATTER_MUL = 2
    SCATTER_MIN = 3
    SCATTER_MAX = 4

cdef Tensor c_gather(Tensor x, int dim, Tensor index)
cdef Tensor c_scatter(Tensor x, int dim, Tensor index, Tensor source, bint in_place)
cdef Tensor c_scatter_add(Tensor x, int dim, Tensor index, Tensor source, bint in_place)
# y (op)= x at the indices; x may be 0-d.  No graph, no checks but of the indices.
cdef int scatter_into(Tensor y, int dim, Tensor index, Tensor x, int mode) except -1
cdef int check_scatter(Tensor x, int dim, Tensor index, Tensor source) except -1
cdef Tensor long_index(Tensor index)
