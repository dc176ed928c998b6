"""Triangles, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_triangle(Tensor x, int64_t diagonal, bint upper)  # records
