"""What all element-wise ops share: promotion, broadcasting, numbers, in-place, out=."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.tensor cimport Tensor

cdef struct Number:      # a Python number as an operand
    int category         # BOOLS, INTEGERS, FLOATS of types.pxd
    double f
    int64_t i

cdef enum:               # how the dtype of a result follows from those of the operands
    PROMOTE = 0          # the promoted dtype
    PROMOTE_FLOAT = 1    # integers become the default float dtype
    TRUTH = 2            # bool, computed in the promoted dtype
    TRUTH_FLOAT = 3      # bool, computed in a float dtype

cdef bint as_number(object value, Number* n) except -1   # False: not a number
cdef Number number_of_float(double value) noexcept nogil
cdef Number number_of_int(int64_t value) noexcept nogil
cdef int code_with_number(Tensor a, const Number* n) noexcept nogil
cdef int code_with_tensor(Tensor a, Tensor b) noexcept nogil

# Flag of a kernel whose first scalar is alpha, 1 unless given.  Then `s` has one entry
# per compute type.  (1 is OUT_BOOL of executor.pxd.)
cdef enum:
    TAKES_ALPHA = 2

# y = kernel(x).  `into` is None, or the tensor that an in-place op writes.
cdef Tensor unary(const Kernel* kernel, int rule, Tensor x, Tensor into,
                  const Scalar* s=*, int scalars=*)
# y = kernel(a, b); a or b may be None, then the number stands in its place.
cdef Tensor binary(const Kernel* kernel, int rule, Tensor a, Tensor b,
                   const Number* number, Tensor into, const Scalar* s=*, int scalars=*)
# y = kernel(a, b, c) over tensors
cdef Tensor ternary(const Kernel* kernel, int rule, Tensor a, Tensor b, Tensor c,
                    Tensor into, const Scalar* s=*, int scalars=*)

cdef int broadcast(Tensor a, Tensor b, int64_t* shape) except -1  # returns ndim
cdef int broadcast_with(int ndim, int64_t* shape, Tensor b) except -1
cdef int same_device(Tensor a, Tensor b) except -1
cdef Tensor as_tensor(object value, Tensor like)   # a number becomes a 0-d tensor
cdef object deliver(Tensor y, object out)          # y, or out with y's values
# x[...] = y with y's history: in-place
cdef Tensor take_result(Tensor x, Tensor y)
