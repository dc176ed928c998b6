"""Index tensors from lists, ranges and arrays."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor index_from(object value)   # bool or uint8 stay; all else becomes int64
