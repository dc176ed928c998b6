"""Elements that tensors of indices point at, without a graph."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef enum:             # what a write does
    PUT_SET = 0
    PUT_ADD = 1        # sums in float32, float64 or int64

# `indices` has an int64 tensor or None for each of x's first dimensions.  The result
# has the broadcast dimensions of the indices in place of the indexed ones, or in front
# if those are not neighbours.  `aligned` broadcasts them and makes them contiguous.
cdef list aligned(Tensor x, list indices)
cdef int result_sizes(Tensor x, list indices, int64_t* sizes) except -1  # returns rank
# IndexError without details if an index is out of its dimension: nothing was written.
cdef Tensor read_points(Tensor x, list indices, bint wraps)
cdef int write_points(Tensor y, list indices, Tensor x, int mode, bint wraps) except -1
# The same along one dimension, with one index of at most one dimension.
cdef Tensor read_along(Tensor x, int dim, Tensor index)
cdef int write_along(Tensor y, int dim, Tensor index, Tensor x, int mode) except -1
cdef int64_t first_outside(Tensor index, int64_t size, bint wraps) except? -1
