"""Ops of two tensors for the other families; all recorded."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_maximum(Tensor a, Tensor b)
cdef Tensor c_minimum(Tensor a, Tensor b)
cdef Tensor c_xlogy(Tensor a, Tensor b)
