"""Views of any strides, and their adjoints, for views whose base was written."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport Node
from tinytorch._core.tensor cimport Tensor

cdef class Layout:                 # a tensor's geometry, without the tensor
    cdef int rank
    cdef int64_t* sizes            # owned; strides follow in the same block
    cdef int64_t* strides
    cdef int64_t offset            # elements from the start of the storage

cdef Layout layout_of(Tensor x)
cdef Layout layout(int rank, const int64_t* sizes, const int64_t* strides,
                   int64_t offset)

# `inner` and `outer` are views of one storage.  take: the elements of inner, from g
# that has outer's shape.  embed, its adjoint: outer's shape, zero but for gy at inner's
# places.
# cut_out: g with zeros at inner's places.  All three record.
cdef Tensor take(Tensor g, Layout inner, Layout outer)
cdef Tensor embed(Tensor gy, Layout inner, Layout outer)
cdef Tensor cut_out(Tensor g, Layout inner, Layout outer)

cdef Tensor c_as_strided(Tensor x, int rank, const int64_t* sizes,
                         const int64_t* strides,
                         int64_t offset)   # offset in elements from the storage's start
cdef Node as_strided_node(object target, int nr, Layout outer, Layout inner)
cdef Tensor c_diagonal(Tensor x, int64_t diagonal, int a, int b)
cdef Tensor c_unfold(Tensor x, int dim, int64_t size, int64_t step)
# gy as a diagonal among zeros: the adjoint of c_diagonal.  Records.
cdef Tensor on_diagonal(Tensor gy, int64_t diagonal, int a, int b, int64_t rows,
                        int64_t columns)
