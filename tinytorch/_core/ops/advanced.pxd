"""Advanced indexing for the other families; recorded."""

from tinytorch._core.tensor cimport Tensor

# `indices`: an int64 or bool tensor or None for each of the first dimensions.
cdef Tensor c_index(Tensor x, list indices)
cdef Tensor c_index_put(Tensor x, list indices, Tensor value, bint accumulate,
                        bint in_place)
cdef Tensor c_take(Tensor x, Tensor index)    # x as if it were flat
