"""Kernel calls as values, and the one place that runs, records or times them."""

from libc.stdint cimport int64_t, uint8_t

from tinytorch._core.tensor cimport Tensor
from tinytorch._core.threads cimport Body

cdef extern from "kernel.h" nogil:
    ctypedef union Scalar:
        double f
        int64_t i

    ctypedef void (*Loop)(char** p, int64_t n, const Scalar* s) noexcept nogil

cdef extern from "call.h" nogil:
    ctypedef struct View:
        char* data
        const int64_t* shape
        const int64_t* strides
        void* storage                  # a Storage*
        int64_t numel
        uint8_t ndim, dtype, contiguous

    ctypedef int (*Driver)(const KernelCall* call) noexcept nogil

    ctypedef struct Kernel:
        const char* name
        Driver driver
        void* function[3]
        int flags
        int id
        double flops
        double (*count_flops)(const KernelCall* call) noexcept nogil

    ctypedef struct KernelCall:
        const Kernel* kernel
        View* operand
        const Scalar* scalar
        int operands, outputs, scalars
        int compute
        int device

    int TT_OK, TT_NO_MEMORY, TT_BAD_INDEX, TT_ZERO_DIVISION, TT_NO_KERNEL, TT_BAD_VALUE
    void (*tt_parallel_for)(Body, void*, int64_t, int64_t) noexcept nogil

# The drivers of the commonest kinds live in the executor's own library.
cdef Driver pointwise
cdef enum:
    OUT_BOOL = 1        # flag of a pointwise kernel: its loop writes truth values

# `functions` are three, by compute type (TT_LOOPS of kernel.h), or NULL.
cdef Kernel* register_kernel(const char* name, Driver driver, void** functions,
                             int flags=*, double flops=*) except NULL
cdef int execute(KernelCall* call) except -1
cdef int copy_into(Tensor y, Tensor x) except -1   # broadcast and cast
cdef int fill_with(Tensor y, double value, int64_t integer) except -1
cdef int copy_new(Tensor y, Tensor x) except -1    # the same for new tensors: these
cdef int fill_new(Tensor y, double value, int64_t integer) except -1  # count no write
cdef int refuse_capture(str what) except -1        # data-dependent step while recording
cdef bint pause_recording() noexcept               # returns what resume_recording takes
cdef void resume_recording(bint paused) noexcept

cdef inline void view_of(View* v, Tensor x) noexcept:
    v.data = x.storage.data + x.offset
    v.shape = x.sizes
    v.strides = x.strides
    v.storage = x.storage
    v.numel = x.count
    v.ndim = x.rank
    v.dtype = x.code
    v.contiguous = x.flags & 2

cdef inline void immediate(View* v, Scalar* value, int dtype) noexcept nogil:
    """An operand that is one number; dtype is that of a compute type."""
    v.data = <char*>value
    v.shape = v.strides = NULL
    v.storage = NULL
    v.numel = 1
    v.ndim = 0
    v.dtype = dtype
    v.contiguous = True

cdef inline int run(const Kernel* kernel, View* operand, int operands, int outputs,
                    const Scalar* scalar, int scalars, int compute,
                    int device) except -1:
    """Fill a call and execute it."""
    cdef KernelCall call
    call.kernel = kernel
    call.operand = operand
    call.scalar = scalar
    call.operands = operands
    call.outputs = outputs
    call.scalars = scalars
    call.compute = compute
    call.device = device
    return execute(&call)

# What a device other than the CPU supplies for running calls; the GPU package fills it.
ctypedef int (*DeviceRun)(const KernelCall* call) except -1
cdef void register_device(DeviceRun run) noexcept
