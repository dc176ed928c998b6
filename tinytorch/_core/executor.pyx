"""The executor: every kernel call of the library passes through `execute`.

In the ordinary case it runs the call at once.  Otherwise it may skip it (meta tensors
have no elements), hand it to a device, append a copy to a Program, or time it.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from tinytorch._core.storage cimport CPU, CUDA, META, Storage, hold, release
from tinytorch._core.tensor cimport (
    Tensor, empty_like, is_contiguous, same_shape, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BOOL, COMPUTE_F64, COMPUTE_I64, F32, F64, I64, compute_of, itemsize)

cdef extern from "copy.h" nogil:
    int pointwise_driver(const KernelCall* call)
    int copy_driver(const KernelCall* call)

cdef extern from "clock.h" nogil:
    double tt_seconds()

tt_parallel_for = parallel_for
pointwise = <Driver>pointwise_driver

cdef enum:
    GIL_BOUND = 16384   # elements from which other Python threads may run meanwhile
    RECORDING = 1
    PROFILING = 2

cdef int watching = 0               # RECORDING | PROFILING
cdef Kernel** kernels = NULL
cdef int kernel_count = 0
cdef DeviceRun device_run = NULL
cdef Program program = None
cdef Profile profile = None


cdef Kernel* register_kernel(const char* name, Driver driver, void** functions,
                             int flags=0, double flops=0) except NULL:
    """Make a kernel known; it lives as long as the process."""
    global kernels, kernel_count
    cdef Kernel* kernel = <Kernel*>calloc(1, sizeof(Kernel))
    cdef Kernel** grown
    grown = <Kernel**>realloc(kernels, (kernel_count + 1) * sizeof(Kernel*))
    if kernel == NULL or grown == NULL:
        raise MemoryError()
    kernels = grown
    kernels[kernel_count] = kernel
    kernel.name = name
    kernel.driver = driver
    if functions != NULL:
        memcpy(kernel.function, functions, 3 * sizeof(void*))
    kernel.flags = flags
    kernel.id = kernel_count
    kernel.flops = flops
    kernel_count += 1
    return kernel


cdef void register_device(DeviceRun run) noexcept:
    """The GPU package says here how its calls are launched."""
    global device_run
    device_run = run


cdef int execute(KernelCall* call) except -1:
    """Run a call, now or in whatever way is asked for."""
    cdef int status
    if watching == 0 and call.device == CPU:
        if call.operand[0].numel < GIL_BOUND and call.operand[call.operands - 1].numel \
                < GIL_BOUND:
            status = call.kernel.driver(call)
        else:
            with nogil:
                status = call.kernel.driver(call)
        if status != TT_OK:
            return fail(call, status)
        return 0
    return execute_watched(call)


cdef int execute_watched(KernelCall* call) except -1:
    cdef int status = TT_OK
    cdef double begin = tt_seconds()
    if call.device == CPU:
        with nogil:
            status = call.kernel.driver(call)
    elif call.device != META:
        if device_run == NULL:
            raise RuntimeError("no CUDA device is registered")
        device_run(call)
    if status != TT_OK:
        return fail(call, status)
    if watching & PROFILING:
        profile.note(call, tt_seconds() - begin)
    if watching & RECORDING:
        program.append(call)
    return 0


cdef int fail(const KernelCall* call, int status) except -1:
    cdef str name = call.kernel.name.decode()
    if status == TT_NO_MEMORY:
        raise MemoryError(f"{name}: no memory for its working space")
    if status == TT_BAD_INDEX:
        raise IndexError(f"{name}: index out of range")
    if status == TT_ZERO_DIVISION:
        raise RuntimeError("ZeroDivisionError")
    if status == TT_NO_KERNEL:
        raise RuntimeError(f"\"{name}_cpu\" not implemented for this dtype")
    raise RuntimeError(f"{name}: failed with status {status}")


# ---- copy and fill, which every layer needs ----

cdef Kernel* COPY = register_kernel("copy", <Driver>copy_driver, NULL)


cdef int copy_into(Tensor y, Tensor x) except -1:
    """Write x's values into y, cast and broadcast; shapes are the caller's matter."""
    copy_new(y, x)
    wrote(y)
    return 0


cdef int fill_with(Tensor y, double value, int64_t integer) except -1:
    """Set all of y: floats from `value`, integers and truth values from `integer`."""
    fill_new(y, value, integer)
    wrote(y)
    return 0


cdef int copy_new(Tensor y, Tensor x) except -1:
    """The same for a tensor that nobody has seen yet: its version stays 0."""
    cdef View[2] v
    view_of(&v[0], y)
    view_of(&v[1], x)
    # A truth value is decided by what it is made from: 0.5 is true.
    run(COPY, v, 2, 1, NULL, 0, compute_of[x.code if y.code == BOOL else y.code],
        y.storage.device if x.storage.device == y.storage.device else between(y, x))
    return 0


cdef int between(Tensor y, Tensor x) except -1:
    """Whose affair a copy between devices is: the GPU's, in both directions."""
    if y.storage.device == META:
        return META
    if x.storage.device == META:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    return CUDA


cdef int fill_new(Tensor y, double value, int64_t integer) except -1:
    cdef View[2] v
    cdef Scalar number
    cdef float single = value
    view_of(&v[0], y)
    if compute_of[y.code] == COMPUTE_I64:
        number.i = integer
        immediate(&v[1], &number, I64)
    elif compute_of[y.code] == COMPUTE_F64:
        number.f = value
        immediate(&v[1], &number, F64)
    else:
        memcpy(&number, &single, sizeof(float))
        immediate(&v[1], &number, F32)
    run(COPY, v, 2, 1, NULL, 0, compute_of[y.code], y.storage.device)
    return 0


# ---- recording ----

cdef struct Recorded:
    KernelCall call
    # behind it, in the same block: operands, their sizes, scalars, immediates


cdef class Program:
    """A list of kernel calls that can be run again without Python.

    It holds the storages of its calls, so addresses stay good and no block that was
    freed while recording is used twice.
    """

    cdef Recorded** calls
    cdef Storage** storages
    cdef int64_t count, room, held, held_room
    cdef list refreshers    # called before each replay

    def __cinit__(self):
        self.refreshers = []

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.count):
            free(self.calls[i])
        for i in range(self.held):
            release(self.storages[i])
        free(self.calls)
        free(self.storages)

    cdef int keep(self, Storage* storage) except -1:
        cdef Storage** grown
        if self.held == self.held_room:
            self.held_room = 2 * self.held_room + 64
            grown = <Storage**>realloc(self.storages, self.held_room * sizeof(Storage*))
            if grown == NULL:
                raise MemoryError()
            self.storages = grown
        hold(storage)
        self.storages[self.held] = storage
        self.held += 1
        return 0

    cdef int append(self, const KernelCall* call) except -1:
        """Copy a call with all that it points at."""
        cdef int k, d, dims = 0
        cdef size_t size
        cdef Recorded* made
        cdef Recorded** grown
        cdef View* view
        cdef int64_t* sizes
        cdef Scalar* value
        for k in range(call.operands):
            dims += call.operand[k].ndim
        size = (sizeof(Recorded) + call.operands * (sizeof(View) + sizeof(Scalar))
                + 2 * dims * sizeof(int64_t) + call.scalars * sizeof(Scalar))
        if self.count == self.room:
            self.room = 2 * self.room + 64
            grown = <Recorded**>realloc(self.calls, self.room * sizeof(Recorded*))
            if grown == NULL:
                raise MemoryError()
            self.calls = grown
        made = <Recorded*>malloc(size)
        if made == NULL:
            raise MemoryError()
        made.call = call[0]
        view = <View*>(made + 1)
        sizes = <int64_t*>(view + call.operands)
        value = <Scalar*>(sizes + 2 * dims)
        memcpy(view, call.operand, call.operands * sizeof(View))
        made.call.operand = view
        for k in range(call.operands):
            if view[k].storage == NULL:
                memcpy(value, view[k].data, sizeof(Scalar))
                view[k].data = <char*>value
                value += 1
                continue
            for d in range(view[k].ndim):
                sizes[d] = view[k].shape[d]
                sizes[view[k].ndim + d] = view[k].strides[d]
            view[k].shape = sizes
            view[k].strides = sizes + view[k].ndim
            sizes += 2 * view[k].ndim
        if call.scalars:
            memcpy(value, call.scalar, call.scalars * sizeof(Scalar))
            made.call.scalar = value
        self.calls[self.count] = made
        self.count += 1
        for k in range(call.operands):
            if view[k].storage != NULL:
                self.keep(<Storage*>view[k].storage)
        return 0

    def start(self):
        """Record the calls that are made from now on, as they are executed."""
        global watching, program
        if watching & RECORDING:
            raise RuntimeError("a capture is already under way")
        program = self
        watching |= RECORDING

    def stop(self):
        """End the recording."""
        global watching, program
        if program is self:
            program = None
            watching &= ~RECORDING

    def hold(self, Tensor x not None):
        """Keep x's memory for as long as the program lives."""
        self.keep(x.storage)

    def replay(self):
        """Run what `before_replay` got, then all calls in C, without the GIL."""
        cdef int64_t i
        cdef int status = TT_OK
        cdef const KernelCall* call = NULL
        for refresh in self.refreshers:
            refresh()
        with nogil:
            for i in range(self.count):
                call = &self.calls[i].call
                if call.device == CPU:
                    status = call.kernel.driver(call)
                    if status != TT_OK:
                        break
        if status != TT_OK:
            fail(call, status)

    def __len__(self):
        return self.count

    def names(self):
        """Return the names of the calls, in order."""
        return [self.calls[i].call.kernel.name.decode() for i in range(self.count)]


def is_capturing() -> bool:
    """Whether kernel calls are being recorded."""
    return watching & RECORDING != 0


def feed(list inputs not None, tuple given not None) -> bool:
    """Copy the given tensors into a program's inputs, without history.

    False, and nothing written, if they are not as many tensors of the same shapes and
    dtypes: the caller knows how to say what is wrong.
    """
    cdef Py_ssize_t i
    cdef Tensor x, y
    if len(inputs) != len(given):
        return False
    for i in range(len(inputs)):
        if not isinstance(given[i], Tensor):
            return False
        x, y = given[i], inputs[i]
        if x.code != y.code or not same_shape(x, y):
            return False
    for i in range(len(inputs)):
        copy_into(<Tensor>inputs[i], <Tensor>given[i])
    return True


def taken(Tensor x not None):
    """A copy of a program's output, without history; None if it is not contiguous."""
    cdef Tensor y
    if not is_contiguous(x):
        return None
    y = empty_like(x)
    copy_new(y, x)
    return y


def before_replay(refresh):
    """Have the program that is being recorded call `refresh()` before each replay.

    So numbers that live in Python, such as learning rates, reach a replayed call.
    """
    if watching & RECORDING:
        program.refreshers.append(refresh)


cdef bint pause_recording() noexcept:
    """Leave the calls that follow out of the program: they make state, once."""
    global watching
    cdef bint was = watching & RECORDING != 0
    watching &= ~RECORDING
    return was


cdef void resume_recording(bint paused) noexcept:
    global watching
    if paused:
        watching |= RECORDING


cdef int refuse_capture(str what) except -1:
    """Raise if a step that depends on values is met while recording."""
    if watching & RECORDING:
        raise RuntimeError(
            f"{what} depends on the values of a tensor and cannot be captured")
    return 0


# ---- profiling ----

cdef class Profile:
    """A table of kernel calls: how many, how long,
    bytes and floating-point operations."""

    cdef dict rows

    def __cinit__(self):
        self.rows = {}

    cdef int note(self, const KernelCall* call, double seconds) except -1:
        cdef double flops = call.kernel.flops * call.operand[0].numel
        cdef int64_t moved = 0
        cdef int k
        for k in range(call.operands):
            moved += call.operand[k].numel * itemsize[call.operand[k].dtype]
        if call.kernel.count_flops != NULL:
            flops = call.kernel.count_flops(call)
        row = self.rows.setdefault(call.kernel.name.decode(), [0, 0.0, 0, 0.0])
        row[0] += 1
        row[1] += seconds
        row[2] += moved
        row[3] += flops
        return 0

    def start(self):
        """Count the calls that are made from now on."""
        global watching, profile
        if watching & PROFILING:
            raise RuntimeError("a profile is already being taken")
        profile = self
        watching |= PROFILING

    def stop(self):
        """Stop counting."""
        global watching, profile
        if profile is self:
            profile = None
            watching &= ~PROFILING

    def table(self):
        """Return {kernel: (count, seconds, bytes, FLOPs)}."""
        return {name: tuple(row) for name, row in self.rows.items()}


def kernel_names() -> list:
    """Return the names of all kernels: what a device must supply."""
    return sorted({kernels[i].name.decode() for i in range(kernel_count)})
