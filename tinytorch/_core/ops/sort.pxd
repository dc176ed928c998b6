"""Sorting for the other families."""

from tinytorch._core.tensor cimport Tensor

# Stable; NaN counts as the largest.  The permutation is appended to `index`.  Recorded.
cdef Tensor c_sort(Tensor x, int dim, bint descending, list index)
