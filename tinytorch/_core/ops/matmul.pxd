"""matmul for the other families."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_matmul(Tensor a, Tensor b)           # checked and recorded
cdef int refuse_bool(str kernel, Tensor x) except -1
cdef str cpp_type(int code)                        # "float": as C++ names it
