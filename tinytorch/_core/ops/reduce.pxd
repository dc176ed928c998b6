"""Reductions for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.tensor cimport Tensor

# Dimensions to reduce are bits of a word; ALL of them is the commonest case.
cdef enum:
    ALL_DIMS = -1

cdef uint64_t dims_of(object dim, int rank) except? 0   # None and () are all
cdef int dim_of(object dim, int rank) except -1         # one dimension, wrapped
cdef uint64_t dims_from(const int* dim, int n) noexcept nogil  # from a C list

# y = kernel over x's dimensions `dims`, computed in `compute` and stored as `code`;
# the dimensions stay, with size 1, if keepdim.  No graph.
cdef Tensor reduced(const Kernel* kernel, Tensor x, uint64_t dims, bint keepdim, int code,
                    int compute, Tensor centre=*, const Scalar* s=*, int scalars=*)

cdef Tensor c_sum(Tensor x, uint64_t dims=*, bint keepdim=*, int code=*)  # code -1: x's
cdef Tensor c_mean(Tensor x, uint64_t dims=*, bint keepdim=*, int code=*)
cdef int64_t count_over(Tensor x, uint64_t dims) noexcept nogil  # elements per output

# The adjoint of a sum: g repeated along `dims` of a shape like x's.
cdef Tensor spread(Tensor g, int rank, const int64_t* shape, uint64_t dims, bint keepdim)
