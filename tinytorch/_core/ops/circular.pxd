"""Circular and hyperbolic functions for the other families."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_sin(Tensor x)
cdef Tensor c_cos(Tensor x)
cdef Tensor c_tan(Tensor x)
cdef Tensor c_tanh(Tensor x)
