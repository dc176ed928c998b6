"""Reading sizes and dimensions from what Python callers give."""

from libc.stdint cimport int64_t

cdef int wrap(int64_t dim, int rank) except -1             # 0-d tensors have dim 0, -1
cdef int read_dim(object dim, int rank, str op=*) except -1
cdef int read_dims(object dims, int rank, int* wrapped, str op=*) except -1  # returns n
cdef int64_t read_int(object value, str op, str name) except? -1
cdef int read_sizes(object sizes, int64_t* shape, str op=*) except -1  # returns n
cdef object unpack(tuple args)             # the sizes of f(2, 3) or f((2, 3))
cdef object either(tuple args, object named, str op, str name)  # ... or f(name=(2, 3))
cdef str dtype_word(int code)              # "Float": how messages name a dtype
cdef list listed(int n, const int64_t* numbers)
