"""Indices into a tensor as if it were flat, for the other families; recorded."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_take(Tensor x, Tensor index)
