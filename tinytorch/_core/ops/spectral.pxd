"""Singular values and eigenvalues for the other families; recorded, failures raised."""

from tinytorch._core.tensor cimport Tensor

cdef tuple c_svd(Tensor a, bint full)        # (U, S, Vh)
cdef Tensor c_svdvals(Tensor a)
cdef tuple c_eigh(Tensor a, bint upper)      # (eigenvalues, eigenvectors)
