"""Products of vectors, matrices and batches of them, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport View
from tinytorch._core.tensor cimport Tensor

# All are recorded and closed under differentiation.  That operands agree in dtype and
# shape is the caller's matter.
# op(a) @ op(b) of matrices, where ta and tb transpose the last two dimensions; those
# before them broadcast.
cdef Tensor c_bmm(Tensor a, bint ta, Tensor b, bint tb)
cdef Tensor c_mv(Tensor a, bint ta, Tensor x)      # op(a) @ x
cdef Tensor c_dot(Tensor a, Tensor b)
cdef Tensor c_outer(Tensor a, Tensor b)
cdef Tensor c_mT(Tensor x)                         # the last two dimensions exchanged

# c = alpha a @ b + beta c for batches of matrices, without a graph; c is contiguous.
cdef int product_into(Tensor c, Tensor a, bint ta, Tensor b, bint tb, double alpha,
                      double beta) except -1

# The dtype to multiply in: halves in float32, integers in int64.
cdef int product_code(int code) noexcept nogil

# The broadcast of all dimensions but the last two; returns how many there are.
cdef int batch_shape(Tensor a, Tensor b, int64_t* shape) except -1

# v[0] = alpha v[1] @ v[2] + beta v[0]: the same for operands that are pieces of
# tensors, rows or columns first.
cdef int multiply_views(View* v, double alpha, double beta, int device) except -1
