"""Dropout, and the randomised relu: draws that follow the elements of an input.

The mask is drawn as PyTorch draws it: bernoulli(1 - p) in the input's dtype, divided by
1 - p.
"""

from libc.stdint cimport int64_t, uintptr_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, link, needs_grad, new_node, rebase, save, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, TT_OK, Scalar, View, copy_into, fill_with,
    register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.random cimport draw, read_float, source
from tinytorch._core.ops.shape cimport contiguous, dtype_word, empty_preserved
from tinytorch._core.rng cimport (
    DRAW_BERNOULLI, DRAW_UNIFORM, Generator, Rng, Scalar as RngScalar, fill)
from tinytorch._core.tensor cimport Tensor, empty_beside, empty_like, is_contiguous
from tinytorch._core.types cimport BOOL, F64, MAX_DIMS, is_float, itemsize

from tinytorch._core.ops.activation import leaky_relu, leaky_relu_
from tinytorch._core.types import bool_

__all__ = [
    "dropout", "dropout_", "feature_dropout", "feature_dropout_", "alpha_dropout",
    "alpha_dropout_", "feature_alpha_dropout", "feature_alpha_dropout_",
    "native_dropout", "rrelu", "rrelu_"]

cdef extern from "random.h" nogil:
    enum: TT_RANDOM_BLOCK
    void dropout_block(int dtype, char* y, char* m, const char* x, int64_t n,
                       double keep)
    int64_t rrelu_draws(int dtype, const char* x, int64_t n)
    void rrelu_block(int dtype, char* y, char* noise, const char* x, const double* u,
                     int64_t n, const Scalar* s)


# ---- kernels: a block of draws, and what they make of a block of x ----

ctypedef void (*Block)(const KernelCall* call, int dtype, char* y, char* noise,
                       const char* x, int64_t n) noexcept nogil


cdef int in_blocks(const KernelCall* call, Block block) noexcept nogil:
    """operands: y, the noise, x, all contiguous; the first scalar: the generator"""
    cdef const View* y = &call.operand[0]
    cdef int64_t i = 0, n, size = itemsize[y.dtype]
    while i < y.numel:
        n = min(<int64_t>TT_RANDOM_BLOCK, y.numel - i)
        block(call, y.dtype, y.data + i * size, call.operand[1].data + i * size,
              call.operand[2].data + i * size, n)
        i += n
    return TT_OK


cdef void drop(const KernelCall* call, int dtype, char* y, char* mask, const char* x,
               int64_t n) noexcept nogil:
    """further scalars: 1 - p"""
    fill(<Rng*>call.scalar[0].i, DRAW_BERNOULLI, dtype, mask, n,
         <const RngScalar*>(call.scalar + 1))
    dropout_block(dtype, y, mask, x, n, call.scalar[1].f)


cdef void rectify(const KernelCall* call, int dtype, char* y, char* noise,
                  const char* x, int64_t n) noexcept nogil:
    """further scalars: the bounds"""
    cdef double[TT_RANDOM_BLOCK] u
    cdef RngScalar[2] unit
    unit[0].f = 0
    unit[1].f = 1
    fill(<Rng*>call.scalar[0].i, DRAW_UNIFORM, F64, u, rrelu_draws(dtype, x, n), unit)
    rrelu_block(dtype, y, noise, x, u, n, call.scalar + 1)


cdef int dropout_driver(const KernelCall* call) noexcept nogil:
    return in_blocks(call, drop)


cdef int rrelu_driver(const KernelCall* call) noexcept nogil:
    return in_blocks(call, rectify)


cdef Kernel* DROPOUT = register_kernel("dropout", <Driver>dropout_driver, NULL, 0, 2)
cdef Kernel* RRELU = register_kernel("rrelu", <Driver>rrelu_driver, NULL, 0, 1)


cdef Node recorded(const char* title, Tensor x):
    """The node of y = noise x; the noise is saved once it is drawn."""
    cdef Node node = None
    if needs_grad(x):
        node = new_node(noise_backward, title)
        link(node, 0, x)
    return node


cdef int noise_backward(Node node, Tensor gy) except -1:
    """dx = noise dy"""
    send(node, 0, c_mul(gy, saved(node, 0)))
    return 0


cdef int launch(const Kernel* kernel, Tensor y, Tensor noise, Tensor x, Generator g,
                double first, double second, int numbers) except -1:
    cdef View[3] v
    cdef Scalar[3] s
    view_of(&v[0], y)
    view_of(&v[1], noise)
    view_of(&v[2], x)
    s[0].i = <int64_t><uintptr_t>&g.rng
    s[1].f = first
    s[2].f = second
    run(kernel, v, 3, 2, s, 1 + numbers, 0, x.storage.device)
    return 0


# ---- dropout ----

cdef double read_probability(object p) except? -1:
    cdef double chance = read_float(p, "dropout", "p")
    if not 0 <= chance <= 1:
        raise RuntimeError("dropout probability has to be between 0 and 1, but got "
                           f"{chance:g}")
    return chance


cdef int check_dtype(Tensor x) except -1:
    if not is_float(x.code):
        raise RuntimeError(f"result type Float can't be cast to the desired output "
                           f"type {dtype_word(x.code)}")
    return 0


cdef Tensor masked(Tensor x, double p, Tensor into):
    """x with a fresh mask, in one kernel where x is contiguous."""
    cdef Tensor y, mask
    cdef Node node
    cdef Generator g = source(None)
    check_dtype(x)
    if not is_contiguous(x) or into is not None:
        mask = empty_preserved(x, x.code)
        draw(mask, DRAW_BERNOULLI, 1 - p, 0, None)
        mask.div_(1 - p)
        return c_mul(x, mask) if into is None else into.mul_(mask)
    y = empty_like(x)
    mask = empty_like(x)
    node = recorded(b"MulBackward0", x)
    launch(DROPOUT, y, mask, x, g, 1 - p, 0, 1)
    if node is not None:
        save(node, 0, mask)
        attach(y, node)
    return y


cdef Tensor feature_noise(Tensor x):
    """Room for one draw per sample and channel."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d
    if x.rank < 2:
        raise RuntimeError(
            "Feature dropout requires at least 2 dimensions in the input")
    for d in range(x.rank):
        sizes[d] = x.sizes[d] if d < 2 else 1
    return empty_beside(x, x.rank, sizes, x.code)


cdef Tensor dropped(Tensor x, object probability, bint train, bint feature, bint alpha,
                    bint in_place):
    cdef double p = read_probability(probability), a
    cdef Tensor noise, shift
    if p == 0 or not train or x.count == 0:
        return x
    if p == 1:
        noise = empty_beside(x, 0, NULL, x.code)
        fill_with(noise, 0, 0)
        return x.mul_(noise) if in_place else c_mul(x, noise)
    if not feature and not alpha:
        return masked(x, p, x if in_place else None)
    check_dtype(x)
    noise = feature_noise(x) if feature else empty_preserved(x, x.code)
    draw(noise, DRAW_BERNOULLI, 1 - p, 0, None)
    if not alpha:
        noise.div_(1 - p)
        return x.mul_(noise) if in_place else c_mul(x, noise)
    # Dropped units take selu's negative limit; mean and variance stay as they were.
    a = 1 / ((saturation * saturation * p + 1) * (1 - p)) ** 0.5
    shift = noise.add(-1).mul_(saturation * a).add_(saturation * a * p)
    noise.mul_(a)
    if in_place:
        return x.mul_(noise).add_(shift)
    return c_mul(x, noise).add(shift)


cdef double saturation = 1.7580993408473766  # selu's scale times its alpha


def dropout(Tensor input not None, p, train):
    """Return the input with elements zeroed with probability p, others scaled up."""
    return dropped(input, p, train, False, False, False)


def dropout_(Tensor self not None, p, train):
    """In-place `dropout`."""
    return dropped(self, p, train, False, False, True)


def feature_dropout(Tensor input not None, p, train):
    """`dropout` of whole channels, the input's second dimension."""
    return dropped(input, p, train, True, False, False)


def feature_dropout_(Tensor self not None, p, train):
    """In-place `feature_dropout`."""
    return dropped(self, p, train, True, False, True)


def alpha_dropout(Tensor input not None, p, train):
    """`dropout` that keeps mean and variance, for networks of selu units."""
    return dropped(input, p, train, False, True, False)


def alpha_dropout_(Tensor self not None, p, train):
    """In-place `alpha_dropout`."""
    return dropped(self, p, train, False, True, True)


def feature_alpha_dropout(Tensor input not None, p, train):
    """`alpha_dropout` of whole channels."""
    return dropped(input, p, train, True, True, False)


def feature_alpha_dropout_(Tensor self not None, p, train):
    """In-place `feature_alpha_dropout`."""
    return dropped(self, p, train, True, True, True)


def native_dropout(Tensor input not None, p, train):
    """Return `dropout` and the bool mask of what was kept."""
    cdef double chance = read_probability(p)
    cdef Tensor mask
    if not train or input.count == 0:
        return input.clone(), input.new_ones(input.shape).to(bool_)
    mask = empty_preserved(input, BOOL)
    draw(mask, DRAW_BERNOULLI, 1 - chance, 0, None)
    scale = 0.0 if chance == 1 else 1 / (1 - chance)
    return c_mul(input, mask).mul(scale), mask


# ---- randomised relu ----

cdef Tensor rectified(Tensor x, double lower, double upper, Tensor into,
                      object generator):
    """x above zero, x times a slope of [lower, upper) below, each slope drawn."""
    cdef Tensor source_x = contiguous(x), y, noise
    cdef Node node
    cdef Generator g = source(generator)
    if into is not None:
        check_inplace(into)
    y = empty_like(source_x)
    noise = empty_like(source_x)
    node = recorded(b"RreluWithNoiseBackward0", x)
    launch(RRELU, y, noise, source_x, g, lower, upper, 2)
    if into is not None:
        copy_into(into, y)
        y = into
    if node is not None:
        save(node, 0, noise)
        if into is None:
            attach(y, node)
        else:
            rebase(y, node)
    return y


cdef object randomised(Tensor x, object lower, object upper, bint training,
                       object generator, bint in_place):
    cdef double low = read_float(lower, "rrelu", "lower")
    cdef double high = read_float(upper, "rrelu", "upper")
    if not low <= high:
        raise RuntimeError(
            "Lower bound should be less than or equal to the upper bound")
    if not is_float(x.code):
        raise NotImplementedError(
            f"\"rrelu_with_noise_out_cpu\" not implemented for '{dtype_word(x.code)}'")
    if not training:
        slope = (low + high) / 2
        return leaky_relu_(x, slope) if in_place else leaky_relu(x, slope)
    return rectified(x, low, high, x if in_place else None, generator)


def rrelu(Tensor input not None, lower=1 / 8, upper=1 / 3, training=False,
          generator=None):
    """Return x above zero and x times a slope of ``[lower, upper)`` elsewhere.

    Slopes are drawn in training; otherwise all are the mean of the bounds.
    """
    return randomised(input, lower, upper, training, generator, False)


def rrelu_(Tensor self not None, lower=1 / 8, upper=1 / 3, training=False,
           generator=None):
    """In-place `rrelu`."""
    return randomised(self, lower, upper, training, generator, True)
