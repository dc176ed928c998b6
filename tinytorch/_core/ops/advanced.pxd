"""Advanced indexing for the other families; recorded."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# `indices`: an int64 or bool tensor or None for each of the first dimensions.
cdef Tensor c_index(Tensor x, list indices)
cdef Tensor c_index_put(Tensor x, list indices, Tensor value, bint accumulate,
                        bint in_place)
cdef Tensor index_embed(Tensor gy, int rank, const int64_t* sizes, list indices)
cdef Tensor index_aligned(Tensor x, list indices)  # from points.aligned
