"""Copies in another order, for the other families: all record."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_flip(Tensor x, int n, const int* dims)
cdef Tensor c_roll(Tensor x, int n, const int64_t* shifts, const int* dims)
cdef Tensor c_repeat(Tensor x, int rank, const int64_t* repeats)
