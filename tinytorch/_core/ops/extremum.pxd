"""Extrema for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport uint64_t

from tinytorch._core.autograd cimport Node
from tinytorch._core.tensor cimport Tensor

cdef Tensor c_amax(Tensor x, uint64_t dims=*, bint keepdim=*)
cdef Tensor c_amin(Tensor x, uint64_t dims=*, bint keepdim=*)
cdef Tensor c_argmax(Tensor x, int dim, bint keepdim)

# The derivative of a selected value: shared evenly by the elements that equal it.
cdef int share_evenly(Node node, Tensor gy) except -1
# gx[index] = gy along the node's dimension i0, of i1 elements, i2: dim was kept.
cdef int index_backward(Node node, Tensor gy) except -1
cdef Node index_node(const char* title, Tensor x, int dim, bint keepdim, Tensor index)
