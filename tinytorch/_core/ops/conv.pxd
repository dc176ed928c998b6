"""Convolutions for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef struct Steps:            # of a window over `dims` axes
    int dims
    int64_t groups
    int64_t[3] stride
    int64_t[3] padding
    int64_t[3] dilation

# Three products of the same triples (x, w, y), each the derivative of the others:
# y from x and w, x from y and w, w from y and x.  `sizes` are the result's; NULL: y's
# follow from the steps (strides leave a choice).
cdef Tensor c_conv(Tensor x, Tensor w, Tensor b, const int64_t* sizes, const Steps* s)
cdef Tensor c_conv_input(Tensor y, Tensor w, Tensor b, const int64_t* sizes,
                         const Steps* s)
cdef Tensor c_conv_weight(Tensor y, Tensor x, const int64_t* sizes, const Steps* s)

cdef inline int64_t kernel_reach(int64_t kernel, int64_t dilation) noexcept:
    """Elements from the first to the last that a kernel covers."""
    return dilation * (kernel - 1) + 1
