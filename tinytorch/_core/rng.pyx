"""Random generators on the CPU: MT19937 with the streams and the state of PyTorch's."""

import operator
import os

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock,
    PyThread_release_lock, PyThread_type_lock, WAIT_LOCK)
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from tinytorch._core.storage cimport CPU
from tinytorch._core.types cimport device as Device, DTYPES, I64, device_of, itemsize

__all__ = ["Generator", "default_generator"]

cdef extern from "rng.h" nogil:
    void rng_export(const Rng* r, RngBytes* state)
    int rng_import(Rng* r, const RngBytes* state)

cdef extern from "mt19937.h" nogil:
    void mt_seed(Rng* r, uint64_t seed)

cdef extern from "variates.h" nogil:
    ctypedef int (*Fill)(Rng* r, int dtype, char* y, int64_t n,
                         const Scalar* s) noexcept nogil
    Fill* FILLS
    void bernoulli_of_p "sample_bernoulli"(Rng* r, int dtype, char* y, int p_dtype,
                                           const char* p, int64_t n)

cdef extern from "rejection.h" nogil:
    void sample_poisson(Rng* r, int dtype, char* y, const char* rate, int64_t n)
    int sample_gamma(Rng* r, int dtype, char* y, const char* shape, int64_t n)
    int sample_binomial(Rng* r, int dtype, char* y, const char* count, const char* p,
                        int64_t n)
    int dirichlet_rows "sample_dirichlet"(Rng* r, int dtype, char* y, const char* alpha,
                                          double* work, int64_t rows, int64_t cols)

cdef extern from "multinomial.h" nogil:
    int sample_replaced(Rng* r, int64_t* y, int dtype, const char* weights,
                        double* work, int64_t rows, int64_t cols, int64_t k)
    int sample_race(Rng* r, int64_t* y, int dtype, const char* weights, double* work,
                    int64_t rows, int64_t cols, int64_t k)

cdef enum:
    DEFAULT_SEED = 67280421310721


cdef class Generator:
    """A source of random numbers, with a state of its own.

    It produces the same numbers as PyTorch's CPU generator with the same seed, and the
    two can exchange their states.

    Args:
        device: only the CPU for now, which is also the default.

    Example:
        >>> Generator().manual_seed(1).initial_seed()
        1
    """

    def __cinit__(self):
        self.rng.lock = <void*>PyThread_allocate_lock()
        if self.rng.lock == NULL:
            raise MemoryError("Generator: no lock")
        mt_seed(&self.rng, DEFAULT_SEED)

    def __init__(self, device=None):
        kind = _device_type(device)
        if kind != "cpu":
            raise RuntimeError(
                f"Device type {kind.upper()} is not supported for torch.Generator() "
                "api.")

    def __dealloc__(self):
        if self.rng.lock != NULL:
            PyThread_free_lock(<PyThread_type_lock>self.rng.lock)

    @property
    def device(self):
        """The device whose tensors this generator fills."""
        return device_of(CPU, -1)

    def manual_seed(self, seed):
        """Start the stream of a seed, -2**63 to 2**64 - 1; return the generator."""
        if isinstance(seed, (bool, float, str)) or not hasattr(seed, "__index__"):
            raise RuntimeError(
                f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = operator.index(seed)
        if not -1 << 63 <= seed < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        _seed(self, seed & 0xffffffffffffffff)
        return self

    def seed(self):
        """Start a stream that cannot be foreseen, and return its seed."""
        chosen = int.from_bytes(os.urandom(8), "little")
        _seed(self, chosen)
        return chosen

    def initial_seed(self):
        """Return the seed with which the stream began."""
        return self.rng.seed

    def get_state(self):
        """Return the state, in the layout of PyTorch's CPU generator."""
        return _wrap_state(_state(self))

    def set_state(self, state):
        """Continue from a state that `get_state` has returned, here or in PyTorch."""
        _set_state(self, _unwrap_state(state))

    def clone_state(self):
        """Return a new generator in the same state."""
        cdef Generator other = Generator()
        _set_state(other, _state(self))
        return other

    def get_offset(self):
        """Raise: only generators on a GPU count their draws."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset):
        """Raise: only generators on a GPU count their draws."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self):
        return _restore, (_state(self),)

    def __setstate__(self, given):
        """Take what PyTorch pickles: seed, offset, state."""
        _, _, state = given
        self.set_state(state)


def _restore(state):
    cdef Generator made = Generator()
    _set_state(made, state)
    return made


cdef str _device_type(object given):
    if given is None:
        return "cpu"
    return (given if isinstance(given, Device) else Device(given)).type


cdef int _seed(Generator g, uint64_t seed) except -1:
    with nogil:
        lock(&g.rng)
        mt_seed(&g.rng, seed)
        unlock(&g.rng)
    return 0


cdef bytes _state(Generator g):
    cdef RngBytes state
    with nogil:
        lock(&g.rng)
        rng_export(&g.rng, &state)
        unlock(&g.rng)
    return PyBytes_FromStringAndSize(<char*>&state, sizeof(RngBytes))


cdef int _set_state(Generator g, bytes given) except -1:
    cdef RngBytes state
    cdef int status
    if len(given) != sizeof(RngBytes):
        raise RuntimeError(
            f"Expected a CPUGeneratorImplState of size {sizeof(RngBytes)} but found "
            f"the input RNG state size to be {len(given)}")
    memcpy(&state, <char*>given, sizeof(RngBytes))
    with nogil:
        lock(&g.rng)
        status = rng_import(&g.rng, &state)
        unlock(&g.rng)
    if status != 0:
        raise RuntimeError("Invalid mt19937 state")
    return 0


# Tensors lie above this module: they register how bytes become one, and back.
_wrap_state = bytes
_unwrap_state = bytes


def _register_state_type(wrap, unwrap):
    global _wrap_state, _unwrap_state
    _wrap_state, _unwrap_state = wrap, unwrap


default_generator = Generator()
default_generator.seed()
cdef Generator the_default = default_generator


def _unlock_after_fork():
    """A thread of the parent may have held the lock; the child has no such thread."""
    the_default.rng.lock = <void*>PyThread_allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_after_fork)


cdef Generator generator_of(object generator):
    if generator is None:
        return the_default
    if isinstance(generator, Generator):
        return <Generator>generator
    raise TypeError(
        f"generator: expected a torch.Generator, got {type(generator).__name__}")


# ---- the streams ----

cdef inline void lock(Rng* r) noexcept nogil:
    PyThread_acquire_lock(<PyThread_type_lock>r.lock, WAIT_LOCK)


cdef inline void unlock(Rng* r) noexcept nogil:
    PyThread_release_lock(<PyThread_type_lock>r.lock)


cdef int fill(Rng* r, int draw, int dtype, void* y, int64_t n,
              const Scalar* s) noexcept nogil:
    lock(r)
    cdef int status = FILLS[draw](r, dtype, <char*>y, n, s)
    unlock(r)
    return status


cdef void sample_bernoulli(Rng* r, int dtype, void* y, int p_dtype, const void* p,
                           int64_t n) noexcept nogil:
    lock(r)
    bernoulli_of_p(r, dtype, <char*>y, p_dtype, <const char*>p, n)
    unlock(r)


cdef int sample(Rng* r, int what, int dtype, void* y, const void* a, const void* b,
                int64_t n) noexcept nogil:
    cdef int status = 0
    lock(r)
    if what == SAMPLE_POISSON:
        sample_poisson(r, dtype, <char*>y, <const char*>a, n)
    elif what == SAMPLE_GAMMA:
        status = sample_gamma(r, dtype, <char*>y, <const char*>a, n)
    else:
        status = sample_binomial(r, dtype, <char*>y, <const char*>a, <const char*>b, n)
    unlock(r)
    return status


cdef int sample_dirichlet(Rng* r, int dtype, void* y, const void* alpha, double* work,
                          int64_t rows, int64_t cols) noexcept nogil:
    lock(r)
    cdef int status = dirichlet_rows(r, dtype, <char*>y, <const char*>alpha, work, rows,
                                     cols)
    unlock(r)
    return status


cdef int multinomial(Rng* r, int64_t* y, int dtype, const void* weights, double* work,
                     int64_t rows, int64_t cols, int64_t k,
                     bint replacement) noexcept nogil:
    cdef int status
    cdef const char* w = <const char*>weights
    lock(r)
    if replacement and k > 1:
        status = sample_replaced(r, y, dtype, w, work, rows, cols, k)
    else:
        status = sample_race(r, y, dtype, w, work, rows, cols, k)
    unlock(r)
    return status


# ---- the same on buffers, for tests ----

# In the order of the enums of rng.h.
cdef tuple draw_names = (
    "uniform", "normal", "normal_serial", "integers", "longs", "naturals", "bernoulli",
    "exponential", "geometric", "cauchy", "log_normal", "permutation")
cdef tuple sample_names = ("poisson", "gamma", "binomial")


@cython.final
cdef class _Buffer:
    cdef Py_buffer view

    def __cinit__(self, memory, int64_t nbytes, bint writable):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE if writable else 0)
        if self.view.len < nbytes:
            raise ValueError(f"expected {nbytes} bytes, got {self.view.len}")

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


cdef int _scalar(Scalar* s, object value) except -1:
    if isinstance(value, int):
        s.i = value if value < 1 << 63 else value - (1 << 64)
    else:
        s.f = value
    return 0


cdef int64_t _bytes(int dtype, int64_t n) except -1:
    if not 0 <= dtype < DTYPES or n < 0:
        raise ValueError(f"expected a dtype code and a size, got {dtype} and {n}")
    return n * itemsize[dtype]


def _fill(Generator g not None, str draw not None, int dtype, y, int64_t n,
          a=0.0, b=0.0):
    cdef Scalar[2] s
    cdef int code = draw_names.index(draw), status
    cdef _Buffer out = _Buffer(y, _bytes(dtype, n), True)
    _scalar(&s[0], a)
    _scalar(&s[1], b)
    with nogil:
        status = fill(&g.rng, code, dtype, out.view.buf, n, s)
    return status


def _sample_bernoulli(Generator g not None, int dtype, y, int p_dtype, p, int64_t n):
    cdef _Buffer out = _Buffer(y, _bytes(dtype, n), True)
    cdef _Buffer given = _Buffer(p, _bytes(p_dtype, n), False)
    sample_bernoulli(&g.rng, dtype, out.view.buf, p_dtype, given.view.buf, n)


def _sample(Generator g not None, str what not None, int dtype, y, a, b, int64_t n):
    cdef int64_t nbytes = _bytes(dtype, n)
    cdef _Buffer out = _Buffer(y, nbytes, True)
    cdef _Buffer first = _Buffer(a, nbytes, False), second = _Buffer(b, nbytes, False)
    return sample(&g.rng, sample_names.index(what), dtype, out.view.buf, first.view.buf,
                  second.view.buf, n)


def _sample_dirichlet(Generator g not None, int dtype, y, a, int64_t rows,
                      int64_t cols):
    cdef int64_t nbytes = _bytes(dtype, rows * cols)
    cdef _Buffer out = _Buffer(y, nbytes, True), alpha = _Buffer(a, nbytes, False)
    cdef _Buffer work = _Buffer(bytearray(8 * cols), 0, True)
    return sample_dirichlet(&g.rng, dtype, out.view.buf, alpha.view.buf,
                            <double*>work.view.buf, rows, cols)


def _multinomial(Generator g not None, int dtype, y, w, int64_t rows, int64_t cols,
                 int64_t k, bint replacement):
    cdef _Buffer out = _Buffer(y, _bytes(I64, rows * k), True)
    cdef _Buffer weights = _Buffer(w, _bytes(dtype, rows * cols), False)
    cdef _Buffer work = _Buffer(bytearray(8 * max(cols, 2 * k)), 0, True)
    return multinomial(&g.rng, <int64_t*>out.view.buf, dtype, weights.view.buf,
                       <double*>work.view.buf, rows, cols, k, replacement)
