"""Tensors from nested lists and numbers."""

from tinytorch._core.tensor cimport Tensor

cdef bint is_sequence(object value) except -1
# A host tensor of nested sequences or of a number; code -1: the dtype that they
# suggest.
cdef Tensor from_sequence(object value, int code)
