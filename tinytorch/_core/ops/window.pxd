"""What ops with windows share: integers per axis, and calls in a compute type."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.tensor cimport Tensor

# Reads an int or a sequence of at most 8 into `to`; returns its length, 0 for a bare
# int.
cdef int read_each(object value, int64_t* to, str op, str name) except -1
# The same for `dims` axes; returns 1 if the length is another.
cdef int read_axes(object value, int64_t* to, int dims, str op, str name) except -1
cdef str listed(int n, const int64_t* numbers)            # "[1, 2]"
cdef str sizes_text(Tensor x)                             # "[1, 3, 8, 8]"
cdef bytes packed(int n, const int64_t* numbers)          # for Node.context
cdef int refuse_dtype(str kernel, int code) except -1     # raises PyTorch's error

cdef int compute_code(int code) noexcept nogil            # F32, F64 or I64
cdef Tensor operand(Tensor x, int code)                   # contiguous, cast; no graph
# y = kernel(a, b, c) on contiguous operands of y's compute type; None ends the
# operands.
# Operands beyond `floats` (of a, b, c) keep their own dtype.
cdef int launch(const Kernel* kernel, Tensor y, Tensor a, Tensor b, Tensor c,
                const Scalar* s, int scalars, int floats=*) except -1
