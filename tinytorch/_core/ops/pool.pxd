"""Pooling for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef struct Windows:
    int dims
    bint adaptive            # as many windows as the result has elements
    bint with_padding        # zeros of the padding count in a mean
    bint ceil_mode
    int64_t divisor          # of a mean; 0: the number of elements
    int64_t[3] kernel        # these four are not used if adaptive
    int64_t[3] stride
    int64_t[3] padding
    int64_t[3] dilation

# `sizes` are those of the result: y, or (y, places of the maxima in their planes).
cdef object c_max_pool(Tensor x, const int64_t* sizes, const Windows* w,
                       bint with_places)
cdef Tensor c_mean_pool(Tensor x, const int64_t* sizes, const Windows* w)
# x[at], where `at` holds places in the planes over the last `dims` axes.
cdef Tensor c_pool_gather(Tensor x, Tensor at, int dims)
cdef int check_pool_rank(Tensor x, int dims, str op) except -1
