"""Softmax for the other families."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_softmax(Tensor x, int dim)      # 0 <= dim < rank, or 0 for a 0-d tensor
cdef Tensor c_log_softmax(Tensor x, int dim)
