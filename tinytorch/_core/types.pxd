"""Dtypes, devices and sizes, and the rules by which dtypes are promoted."""

cdef enum:
    F32 = 0
    F64 = 1
    F16 = 2
    BF16 = 3
    I64 = 4
    I32 = 5
    I16 = 6
    I8 = 7
    U8 = 8
    BOOL = 9
    DTYPES = 10

cdef enum:             # what kernels calculate in
    COMPUTE_F32 = 0
    COMPUTE_F64 = 1
    COMPUTE_I64 = 2

cdef enum:             # categories of promotion, weakest first
    BOOLS = 0
    INTEGERS = 1
    FLOATS = 2

cdef enum:
    MAX_DIMS = 64
    INLINE_DIMS = 6

cdef extern from "kernel.h" nogil:
    const int* itemsize "tt_itemsize"      # bytes by dtype
    const int* compute_of "tt_compute_of"  # compute type by dtype

cdef inline int category_of(int code) noexcept nogil:
    return FLOATS if code <= BF16 else INTEGERS if code < BOOL else BOOLS

cdef class dtype:
    cdef readonly int code
    cdef readonly str name
    cdef readonly int itemsize

cdef class device:
    cdef readonly int code   # CPU, CUDA, META of storage.pxd
    cdef int number          # -1: none was given

cdef dtype dtype_of(int code)
cdef int promote(int a, int b) noexcept nogil
cdef int get_default_dtype_code() noexcept nogil
cdef int default_device_code() noexcept nogil
cdef int default_device_index() noexcept nogil
cdef int parse_dtype(object value, int fallback) except -1
cdef int parse_device(object value, int* index) except -1
cdef device device_of(int code, int index)

cdef inline bint is_float(int code) noexcept nogil:
    return code <= BF16
