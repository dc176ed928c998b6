"""Products of matrices for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# op(a) @ op(b) of two matrices, where ta and tb transpose.  Closed under
# differentiation, so backward and double backward need nothing else.
cdef Tensor c_mm(Tensor a, bint ta, Tensor b, bint tb)
