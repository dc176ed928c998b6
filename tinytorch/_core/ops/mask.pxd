"""Masks for the other families."""

from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

# Indices of the elements that are not zero, int64: one row per dimension, or, if flat,
# one row of positions in x as if it were contiguous.  Depends on values.
cdef Tensor c_nonzero(Tensor x, bint flat=*)
cdef list rows_of(Tensor x)      # the rows of an int64 matrix, as tensors
cdef Tensor c_masked_fill(Tensor x, Tensor mask, const Number* value)
cdef Tensor c_masked_fill_(Tensor x, Tensor mask, const Number* value)
# value: a 0-d tensor
cdef Tensor masked_fill_from(Tensor x, Tensor mask, Tensor value)
