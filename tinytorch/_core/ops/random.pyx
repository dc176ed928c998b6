"""Tensors filled at random, in place: uniform_, normal_, random_ and their kin.

A call carries the address of its generator as a scalar, so that a replay draws fresh
numbers.  Outputs are filled in the order of their memory, as PyTorch does.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint16_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, check_inplace, rebase, refuse_repeated
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, TT_NO_KERNEL, TT_OK, View, copy_into, register_kernel,
    run, view_of)
from tinytorch._core.ops.assign cimport forget, overwriting
from tinytorch._core.ops.shape cimport contiguous, dtype_word
from tinytorch._core.rng cimport (
    DRAW_CAUCHY, DRAW_EXPONENTIAL, DRAW_GEOMETRIC, DRAW_INTEGERS, DRAW_LOG_NORMAL,
    DRAW_LONGS, DRAW_NATURALS, DRAW_NORMAL, DRAW_NORMAL_SERIAL, DRAW_UNIFORM, Rng,
    Scalar as RngScalar, fill, generator_of)
from tinytorch._core.storage cimport CPU
from tinytorch._core.tensor cimport (
    Tensor, data, empty, empty_beside, is_contiguous, view, wrote)
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F64, I8, I16, I32, I64, MAX_DIMS, U8, is_float)

from tinytorch._core.executor import is_capturing
from tinytorch._core.rng import _register_state_type, default_generator

import warnings

METHODS = ["uniform_", "normal_", "random_", "exponential_", "geometric_", "cauchy_",
           "log_normal_"]

cdef extern from "half.h" nogil:
    float f32_of_f16(uint16_t h)
    float f32_of_bf16(uint16_t h)
    uint16_t f16_of_f32(float x)
    uint16_t bf16_of_f32(float x)


# ---- drawing ----

cdef int fill_driver(const KernelCall* call) noexcept nogil:
    """operands: y, contiguous; scalars: the generator, what to draw, two parameters"""
    cdef const View* y = &call.operand[0]
    if fill(<Rng*>call.scalar[0].i, <int>call.scalar[1].i, y.dtype, y.data, y.numel,
            <const RngScalar*>(call.scalar + 2)) != 0:
        return TT_NO_KERNEL
    return TT_OK

cdef Kernel* RANDOM_FILL = register_kernel("random_fill", <Driver>fill_driver, NULL)

cdef set recorded_generators = set()  # what recorded calls have the address of


cdef Generator source(object generator):
    cdef Generator g = generator_of(generator)
    if g is not default_generator and is_capturing():
        recorded_generators.add(g)
    return g


cdef Tensor in_memory_order(Tensor y, int* order):
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int i, k, d
    for i in range(y.rank):
        order[i] = i
    for i in range(1, y.rank):  # insertion: few, and mostly in order
        d = order[i]
        k = i
        while k > 0 and y.strides[order[k - 1]] < y.strides[d]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = d
    for i in range(y.rank):
        sizes[i] = y.sizes[order[i]]
        strides[i] = y.strides[order[i]]
    return view(y, y.rank, sizes, strides, y.offset)


cdef int draw_scalars(Tensor y, Scalar* s, object generator) except -1:
    cdef int[MAX_DIMS] order
    cdef View v
    cdef Tensor target = y, dense
    cdef Generator g = source(generator)
    s[0].i = <int64_t><uintptr_t>&g.rng
    if not is_contiguous(y):
        refuse_repeated(y)
        if s[1].i == DRAW_NORMAL:
            s[1].i = DRAW_NORMAL_SERIAL
        target = in_memory_order(y, order)
    dense = target
    if not is_contiguous(target):
        dense = empty_beside(target, target.rank, target.sizes, target.code)
    view_of(&v, dense)
    run(RANDOM_FILL, &v, 1, 1, s, 4, 0, y.storage.device)
    if dense is not target:
        copy_into(target, dense)
    wrote(y)
    return 0


cdef int draw(Tensor y, int what, double a, double b, object generator) except -1:
    cdef Scalar[4] s
    s[1].i = what
    s[2].f = a
    s[3].f = b
    return draw_scalars(y, s, generator)


cdef int draw_integers(Tensor y, int what, int64_t low, int64_t high,
                       object generator) except -1:
    cdef Scalar[4] s
    s[1].i = what
    s[2].i = low
    s[3].i = high
    return draw_scalars(y, s, generator)


cdef Tensor drawn(Tensor y, int what, double a, double b, object generator,
                  const char* title):
    """In place, with history: what was there before has no influence."""
    cdef Node node
    check_inplace(y)
    node = overwriting(y, None, forget, title)
    draw(y, what, a, b, generator)
    if node is not None:
        rebase(y, node)
    return y


# ---- checks ----

cdef tuple c_names = (
    "float", "double", "c10::Half", "c10::BFloat16", "long int", "int", "short int",
    "signed char", "unsigned char", "bool")
cdef double[4] largest = [3.4028234663852886e38, 1.7976931348623157e308, 65504,
                          3.3895313892515355e38]
cdef int[4] digits = [24, 53, 11, 8]


cdef int64_t counts_to(int code) noexcept:
    return <int64_t>1 << digits[code]


cdef double read_float(object value, str op, str name) except? -1:
    cdef double x
    if isinstance(value, (str, bytes, list, tuple)) or value is None:
        raise TypeError(f"{op}(): argument '{name}' must be float, not "
                        f"{type(value).__name__}")
    x = float(value)
    return x


cdef int check_uniform(Tensor y, double low, double high) except -1:
    cdef double most
    if not is_float(y.code):
        raise NotImplementedError("\"check_uniform_bounds\" not implemented for "
                                  f"'{dtype_word(y.code)}'")
    most = largest[y.code]
    for name, value in (("from", low), ("to", high)):
        if not -most <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {c_names[y.code]}")
    if low > high:
        raise RuntimeError("uniform_ expects to return a [from, to) range, but found "
                           f"from={low:g} > to={high:g}")
    if high - low > most:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{dtype_word(y.code)}>::"
            f"max(), but found to={high:g} and from={low:g} which result in to-from to "
            "exceed the limit")
    return 0


cdef int check_normal(Tensor y, double std) except -1:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if not is_float(y.code):
        raise NotImplementedError("\"normal_kernel_cpu\" not implemented for "
                                  f"'{dtype_word(y.code)}'")
    return 0


# ---- whole numbers ----

cdef int64_t through(int code, int64_t value) noexcept:
    """The value after a cast to a floating dtype and back."""
    cdef float x = <float>value
    if code == F64:
        return <int64_t><double>value
    if code == F16:
        x = f32_of_f16(f16_of_f32(x))
    elif code == BF16:
        x = f32_of_bf16(bf16_of_f32(x))
    return <int64_t>x if isfinite(x) and -9.2e18 < x < 9.2e18 else value


cdef int64_t spacing(int code, int64_t value) noexcept:
    """Distance of neighbours of the dtype near a large value."""
    cdef int n = 0
    value = -value if value < 0 else value
    while value > 1:
        value >>= 1
        n += 1
    return <int64_t>1 << (n - digits[code] + 1)


cdef int check_bound(int code, int64_t value, str name) except -1:
    """Whether a dtype has the value; floats that skip integers near it only warn."""
    cdef int bits = {I8: 7, I16: 15, I32: 31, I64: 63, U8: 8}.get(code, 1)
    cdef int64_t end = <int64_t>1 << bits
    cdef bint fits
    if is_float(code):
        fits = -largest[code] <= value <= largest[code]
    elif code == U8 or code == BOOL:
        fits = 0 <= value < end
    else:
        fits = bits == 63 or -end <= value < end
    if not fits:
        raise RuntimeError(f"{name} is out of bounds for {c_names[code]}")
    if is_float(code) and abs(<object>value) > counts_to(code):
        warnings.warn(
            f"{name} is out of bounds [-(2^{digits[code]}), 2^{digits[code]}]. Due to "
            f"precision limitations {c_names[code]} can support discrete uniform "
            "distribution only within this range. This warning will become an error in "
            "version 1.7 release, please fix the code in advance", UserWarning,
            stacklevel=3)
    return 0


cdef Tensor integers_into(Tensor y, int64_t low, int64_t high, object generator):
    """From low up to, but without, high."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got "
                           f"from={low} >= to={high}")
    if is_float(y.code):
        if through(y.code, low + 1) < low:
            low = through(y.code, low + 1) + spacing(y.code, low + 1)
        if through(y.code, high - 1) >= high:
            high = through(y.code, high - 1) - spacing(y.code, high - 1)
        if low >= high:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to "
                f"dtype, but got from={low} >= to={high}")
    check_bound(y.code, low, "from")
    check_bound(y.code, high - 1, "to - 1")
    draw_integers(y, DRAW_INTEGERS, low, high, generator)
    return y


cdef Tensor integers_from(Tensor y, int64_t low, object generator):
    """From low up to the largest that the dtype counts to, included."""
    cdef int bits = {I8: 7, I16: 15, I32: 31, I64: 63, U8: 8}.get(y.code, 1)
    cdef uint64_t end = <uint64_t>1 << bits  # of int64 it wraps, as the stream expects
    if is_float(y.code):
        end = counts_to(y.code) + 1
        if through(y.code, low + 1) < low:
            low = through(y.code, low + 1) + spacing(y.code, low + 1)
        if low >= <int64_t>end - 1:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to "
                f"'to_inc' casted to dtype, but got from={low} > to_inc={end - 1}")
    check_bound(y.code, low, "from")
    draw_integers(y, DRAW_INTEGERS, low, <int64_t>end, generator)
    return y


cdef int64_t read_bound(object value, str name) except? -1:
    if isinstance(value, (bool, float)) or not hasattr(value, "__index__"):
        raise TypeError(f"random_(): argument '{name}' must be int, not "
                        f"{type(value).__name__}")
    value = value.__index__()
    if not -1 << 63 <= value < 1 << 63:
        raise ValueError("Overflow when unpacking long long")
    return value


def random_(Tensor self not None, *bounds, generator=None, **named):
    """Fill with integers: random_(), random_(to) or random_(from, to).

    Without bounds they go up to the largest that the dtype counts to; `to` is excluded.
    """
    cdef Node node
    given = list(bounds)
    if set(named) - {"from", "to"} or len(given) + len(named) > 2:
        raise TypeError("random_() received an invalid combination of arguments: "
                        "expected (), (int to) or (int from, int to)")
    both = "from" in named or len(given) + len(named) == 2
    low = named.get("from", given.pop(0) if both and given else 0)
    high = named.get("to", given.pop(0) if given else None)
    check_inplace(self)
    node = overwriting(self, None, forget, b"RandomBackward0" if both else
                       b"RandomBackward1" if high is not None else b"RandomBackward2")
    if high is not None:
        integers_into(self, read_bound(low, "from"), read_bound(high, "to"), generator)
    elif not both:
        draw_integers(self, DRAW_NATURALS, 0, 0, generator)
    elif low == -1 << 63:
        draw_integers(self, DRAW_LONGS, 0, 0, generator)
    else:
        integers_from(self, read_bound(low, "from"), generator)
    if node is not None:
        rebase(self, node)
    return self


# ---- continuous distributions ----

def uniform_(Tensor self not None, from_=0.0, to=1.0, *, generator=None, **named):
    """Fill with numbers evenly distributed over ``[from, to)``."""
    cdef double low, high
    if set(named) - {"from"}:
        raise TypeError(f"uniform_() got an unexpected keyword argument {set(named)}")
    low = read_float(named.get("from", from_), "uniform_", "from")
    high = read_float(to, "uniform_", "to")
    check_uniform(self, low, high)
    return drawn(self, DRAW_UNIFORM, low, high, generator, b"UniformBackward0")


def normal_(Tensor self not None, mean=0.0, std=1.0, *, generator=None):
    """Fill with normally distributed numbers."""
    cdef double deviation = read_float(std, "normal_", "std")
    check_normal(self, deviation)
    return drawn(self, DRAW_NORMAL, read_float(mean, "normal_", "mean"), deviation,
                 generator, b"NormalBackward0")


def exponential_(Tensor self not None, lambd=1.0, *, generator=None):
    """Fill with exponentially distributed numbers of the rate `lambd`."""
    cdef double rate = read_float(lambd, "exponential_", "lambd")
    if not is_float(self.code):
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype "
            f"must be a floating point but you specified {dtype_word(self.code)}")
    if not rate > 0:
        raise RuntimeError(
            f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    return drawn(self, DRAW_EXPONENTIAL, rate, 0, generator, b"ExponentialBackward0")


def geometric_(Tensor self not None, p, *, generator=None):
    """Fill with numbers of trials up to the first success of probability `p`."""
    cdef double chance = read_float(p, "geometric_", "p")
    if not 0 < chance < 1:
        raise RuntimeError(
            f"geometric_ expects p to be in (0, 1), but got p={chance:g}")
    if self.code == BOOL:
        raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
    return drawn(self, DRAW_GEOMETRIC, chance, 0, generator, b"GeometricBackward0")


def cauchy_(Tensor self not None, median=0.0, sigma=1.0, *, generator=None):
    """Fill with numbers of the Cauchy distribution."""
    cdef double width = read_float(sigma, "cauchy_", "sigma")
    if not width > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={width:g}")
    if not is_float(self.code):
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must "
            f"be a floating point but you specified {c_names[self.code]}")
    return drawn(self, DRAW_CAUCHY, read_float(median, "cauchy_", "median"), width,
                 generator, b"CauchyBackward0")


def log_normal_(Tensor self not None, mean=1.0, std=2.0, *, generator=None):
    """Fill with numbers whose logarithms are normally distributed."""
    cdef double deviation = read_float(std, "log_normal_", "std")
    if not deviation > 0:
        raise RuntimeError(
            f"log_normal_ expects std > 0.0, but found std={deviation:g}")
    if not is_float(self.code):
        raise NotImplementedError(
            f"\"log_normal_cpu\" not implemented for '{dtype_word(self.code)}'")
    return drawn(self, DRAW_LOG_NORMAL, read_float(mean, "log_normal_", "mean"),
                 deviation, generator, b"LogNormalBackward0")


# ---- the state as a tensor ----

def state_tensor(bytes state not None):
    """Return the bytes of a generator's state as a uint8 tensor."""
    cdef int64_t n = len(state)
    cdef Tensor y = empty(1, &n, U8)
    memcpy(data(y), <const char*>state, n)
    return y


def state_bytes(state):
    """Return the bytes in the uint8 tensor of a state."""
    if not isinstance(state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(state).__name__}")
    if (<Tensor>state).code != U8 or (<Tensor>state).storage.device != CPU:
        raise TypeError("RNG state must be a torch.ByteTensor")
    state = contiguous(<Tensor>state)
    return PyBytes_FromStringAndSize(data(<Tensor>state), (<Tensor>state).count)


_register_state_type(state_tensor, state_bytes)
