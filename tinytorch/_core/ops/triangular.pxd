"""Triangular systems for the other families; recorded."""

from tinytorch._core.tensor cimport Tensor

# X of A X = B, or of X A = B if not left, where A is a triangle: the other one is not
# read, nor is the diagonal if unit.  Batches must agree already.
cdef Tensor c_solve_triangular(Tensor a, Tensor b, bint upper, bint left, bint unit)
