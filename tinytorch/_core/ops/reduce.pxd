"""Reductions for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport Backward, Node
from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.tensor cimport Tensor

# Dimensions to reduce are bits of a word; ALL of them is the commonest case.
cdef enum:
    ALL_DIMS = -1

cdef uint64_t dims_of(object dim, int rank) except? 0   # None and () are all
cdef int dim_of(object dim, int rank) except -1         # one dimension, wrapped
cdef uint64_t dims_from(const int* dim, int n) noexcept nogil  # from a C list
cdef int one_dim(str name, object dim, object axis, Tensor x) except -1
cdef uint64_t named_dims(object dim, object axis, int rank) except? 0
cdef int out_code(Tensor x, object dtype, object out) except -1  # of sums and products
cdef object deliver_pair(type kind, Tensor first, Tensor second, object out)
cdef int match_out(Tensor x, object out) except -1      # raises unless of x's dtype

# y = kernel over x's dimensions `dims`, computed in `compute` and stored as `code`;
# the dimensions stay, with size 1, if keepdim.  No graph.
cdef Tensor reduced(const Kernel* kernel, Tensor x, uint64_t dims, bint keepdim,
                    int code, int compute, Tensor centre=*, const Scalar* s=*,
                    int scalars=*)

cdef Tensor c_sum(Tensor x, uint64_t dims=*, bint keepdim=*, int code=*)  # code -1: x's
cdef Tensor c_mean(Tensor x, uint64_t dims=*, bint keepdim=*, int code=*)
cdef int64_t count_over(Tensor x, uint64_t dims) noexcept nogil  # elements per output

cdef Tensor c_reduced(const Kernel* kernel, Backward backward, const char* title,
                      Tensor x, uint64_t dims, bint keepdim, int code,
                      bint keep_input=*,
                      bint keep_output=*)  # with a node that has saved x and y
cdef Node reduce_node(Backward backward, const char* title, Tensor x, uint64_t dims,
                      bint keepdim)          # knows x's shape and what was reduced
cdef Tensor spread_over(Node node, Tensor gy)   # gy in the shape of the node's input
cdef Tensor restored(Node node, Tensor g)    # g with the reduced dimensions, of size 1
cdef Kernel* reduction(const char* name, void** functions) except NULL

# The adjoint of a sum: g repeated along `dims` of a shape like x's.
cdef Tensor spread(Tensor g, int rank, const int64_t* shape, uint64_t dims,
                   bint keepdim)
