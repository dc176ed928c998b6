"""LU decompositions for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# P A = L U of any matrices: (LU, pivots, info), column by column, without a graph.
cdef tuple factored(Tensor a)
# A X = B, or A' X = B, given what `factored` returned, of B's batch.  Without a graph.
cdef Tensor solved(Tensor lu, Tensor pivots, Tensor b, bint transposed)
cdef Tensor permutation(Tensor pivots, Tensor like, int64_t n)  # P, (n, n)
