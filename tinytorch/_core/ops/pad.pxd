"""Padding for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# Pairs (front, behind) from the last dimension on, `n` numbers in all; negative ones
# crop.
cdef Tensor c_pad(Tensor x, int n, const int64_t* pads, double value)
