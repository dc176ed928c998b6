"""Rows chosen along one dimension, for the other families; recorded."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# The index is int64, of one dimension (0-d counts as one entry); entries count from 0.
cdef Tensor c_index_select(Tensor x, int dim, Tensor index)
# The adjoint: zeros of `size` rows along dim, to which gy's rows are added in order.
cdef Tensor c_index_spread(Tensor gy, int dim, int64_t size, Tensor index)
cdef Tensor c_index_add(Tensor x, int dim, Tensor index, Tensor source, double alpha,
                        bint in_place)
cdef int check_rows(Tensor x, int dim, Tensor index, Tensor source, str op=*) except -1
