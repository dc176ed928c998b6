"""Making tensors from what Python callers give: sizes, dtype, device."""

from libc.stdint cimport int64_t

from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

# A new tensor as the keyword arguments of a factory ask for; `code` if dtype is None.
cdef Tensor make(int rank, const int64_t* sizes, object dtype, object device,
                 object layout, object pin_memory, int code)
cdef Tensor make_like(Tensor x, object dtype, object device, object layout,
                      object pin_memory, object memory_format)
cdef Tensor finish(Tensor y, object requires_grad)      # sets the flag, or raises
cdef int check_layout(object layout, object pin_memory) except -1
# Sizes from f(2, 3), f((2, 3)) or f(size=(2, 3)); returns how many.
cdef int factory_sizes(str name, tuple args, object size, int64_t* sizes) except -1
cdef int read_number(object value, Number* n, str name) except -1  # or a 0-d tensor
