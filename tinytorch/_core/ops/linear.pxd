"""The linear layer for the other families."""

from tinytorch._core.tensor cimport Tensor

# x @ w.T + b over the last dimension; b may be None.
cdef Tensor c_linear(Tensor x, Tensor w, Tensor b)
