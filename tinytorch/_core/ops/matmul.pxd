"""Products of vectors, matrices and batches of them, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# All are recorded and closed under differentiation.  Operands agree in dtype and shape;
# c_matmul checks, the others leave it to the caller.
cdef Tensor c_matmul(Tensor a, Tensor b)
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
cdef int refuse_bool(str kernel, Tensor x) except -1
cdef str cpp_type(int code)                        # "float": as C++ names it
