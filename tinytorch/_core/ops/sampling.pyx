"""One draw per element of a tensor of parameters: bernoulli, poisson, multinomial, ...

The kernels look at all parameters before the first draw, so a bad one draws nothing.
"""

from libc.stdint cimport int64_t, uintptr_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, link, needs_grad, needs_grad2, new_node, rebase,
    refuse_repeated, save, save_output, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, TT_BAD_VALUE, TT_NO_KERNEL, TT_OK, Scalar, View,
    copy_into, pointwise, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.assign cimport forget, overwriting
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, binary, deliver, ternary)
from tinytorch._core.ops.random cimport draw, in_memory_order, read_float, source
from tinytorch._core.ops.shape cimport (
    c_expand, c_permute, contiguous, dtype_word, read_int)
from tinytorch._core.rng cimport (
    DRAW_BERNOULLI, SAMPLE_BINOMIAL, SAMPLE_GAMMA, SAMPLE_POISSON, WEIGHTS_OK,
    Generator, Rng, multinomial as draw_multinomial, sample, sample_bernoulli,
    sample_dirichlet)
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, empty_like, is_contiguous, wrote)
from tinytorch._core.types cimport F32, F64, I64, MAX_DIMS, is_float

METHODS = ["bernoulli", "bernoulli_", "multinomial"]
__all__ = ["bernoulli", "multinomial", "poisson", "binomial", "_standard_gamma",
           "_sample_dirichlet", "_standard_gamma_grad", "_dirichlet_grad"]

cdef extern from "random.h" nogil:
    bint random_within(const View* x, double low, double high)
    bint random_whole(const View* x)

cdef extern from "quantile.h" nogil:
    void** gamma_slope_loops
    void** beta_slope_loops

cdef extern from "math.h" nogil:
    double INFINITY

cdef Kernel* GAMMA_SLOPE = register_kernel(
    "gamma_slope", pointwise, gamma_slope_loops, 0, 200)
cdef Kernel* BETA_SLOPE = register_kernel(
    "beta_slope", pointwise, beta_slope_loops, 0, 200)


# ---- kernels ----

cdef int bernoulli_driver(const KernelCall* call) noexcept nogil:
    """operands: y, the probabilities; scalar: the generator"""
    cdef const View* y = &call.operand[0]
    cdef const View* p = &call.operand[1]
    if not random_within(p, 0, 1):
        return TT_BAD_VALUE
    sample_bernoulli(<Rng*>call.scalar[0].i, y.dtype, y.data, p.dtype, p.data, y.numel)
    return TT_OK


cdef int sample_driver(const KernelCall* call) noexcept nogil:
    """operands: y, one or two parameters; scalars: the generator, what, the least"""
    cdef const View* y = &call.operand[0]
    cdef const View* last = &call.operand[call.operands - 1]
    if not random_within(&call.operand[1], call.scalar[2].f, INFINITY):
        return TT_BAD_VALUE
    if sample(<Rng*>call.scalar[0].i, <int>call.scalar[1].i, y.dtype, y.data,
              call.operand[1].data, last.data, y.numel) != 0:
        return TT_NO_KERNEL
    return TT_OK


cdef int within_driver(const KernelCall* call) noexcept nogil:
    """operand: x; scalars: the least, the largest, whether x has to be whole"""
    cdef const View* x = &call.operand[0]
    if not random_within(x, call.scalar[0].f, call.scalar[1].f):
        return TT_BAD_VALUE
    if call.scalar[2].i and not random_whole(x):
        return TT_BAD_VALUE
    return TT_OK


cdef int dirichlet_driver(const KernelCall* call) noexcept nogil:
    """operands: y, concentrations, work of a row; scalar: the generator"""
    cdef const View* y = &call.operand[0]
    cdef int64_t cols = call.operand[2].numel
    if y.numel and sample_dirichlet(
            <Rng*>call.scalar[0].i, y.dtype, y.data, call.operand[1].data,
            <double*>call.operand[2].data, y.numel // cols, cols) != 0:
        return TT_NO_KERNEL
    return TT_OK


cdef int multinomial_driver(const KernelCall* call) noexcept nogil:
    """operands: indices, weights, work; scalars: the generator, rows, replacement"""
    cdef const View* y = &call.operand[0]
    cdef const View* w = &call.operand[1]
    cdef int64_t rows = call.scalar[1].i
    if rows == 0:
        return TT_OK
    if draw_multinomial(<Rng*>call.scalar[0].i, <int64_t*>y.data, w.dtype, w.data,
                        <double*>call.operand[2].data, rows, w.numel // rows,
                        y.numel // rows, call.scalar[2].i != 0) != WEIGHTS_OK:
        return TT_BAD_VALUE
    return TT_OK

cdef Kernel* BERNOULLI = register_kernel(
    "random_bernoulli", <Driver>bernoulli_driver, NULL)
cdef Kernel* SAMPLE = register_kernel("random_sample", <Driver>sample_driver, NULL)
cdef Kernel* WITHIN = register_kernel("random_within", <Driver>within_driver, NULL)
cdef Kernel* DIRICHLET = register_kernel(
    "random_dirichlet", <Driver>dirichlet_driver, NULL)
cdef Kernel* MULTINOMIAL = register_kernel(
    "random_multinomial", <Driver>multinomial_driver, NULL)


cdef int64_t address(Generator g):
    return <int64_t><uintptr_t>&g.rng


def all_within(Tensor x not None, double low, double high, bint whole=False):
    """Return whether all elements are in ``[low, high]``, and integers if `whole`.

    A recorded call is checked again in each replay, which raises.
    """
    cdef View v
    cdef Scalar[3] s
    if x.storage.device == META:
        return True
    x = contiguous(x)
    view_of(&v, x)
    s[0].f = low
    s[1].f = high
    s[2].i = whole
    try:
        run(WITHIN, &v, 1, 0, s, 3, 0, x.storage.device)
    except RuntimeError:
        return False
    return True


# ---- Bernoulli ----

cdef int bernoulli_into(Tensor y, Tensor p, object generator) except -1:
    """p broadcasts to y; numbers are drawn in the order of y's memory."""
    cdef int[MAX_DIMS] order
    cdef View[2] v
    cdef Scalar s
    cdef Tensor target = y, dense
    if not is_float(p.code):
        raise NotImplementedError("\"bernoulli_tensor_cpu_p_\" not implemented for "
                                  f"'{dtype_word(p.code)}'")
    p = c_expand(p.detach(), y.rank, y.sizes)
    if not is_contiguous(y):
        refuse_repeated(y)
        target = in_memory_order(y, order)
        p = c_permute(p, order)
    p = contiguous(p)
    dense = target if is_contiguous(target) else empty_like(target)
    s.i = address(source(generator))
    view_of(&v[0], dense)
    view_of(&v[1], p)
    try:
        run(BERNOULLI, v, 2, 1, &s, 1, 0, y.storage.device)
    except RuntimeError:
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this "
            "error message be improved?  If so, please report an enhancement request "
            "to PyTorch.)")
    if dense is not target:
        copy_into(target, dense)
    wrote(y)
    return 0


cdef double read_chance(object p) except? -1:
    cdef double chance = read_float(p, "bernoulli_", "p")
    if not 0 <= chance <= 1:
        raise RuntimeError(
            f"bernoulli_ expects p to be in [0, 1], but got p={chance:g}")
    return chance


def bernoulli(Tensor input not None, p=None, *, generator=None, out=None):
    """Return ones with the probabilities that the input holds, else zeros.

    With a number `p` that is the probability of every element.
    """
    cdef Node node = None
    cdef Tensor y = <Tensor>deliver(empty_like(input), out)
    if p is not None:
        draw(y, DRAW_BERNOULLI, read_chance(p), 0, generator)
        return y
    if needs_grad(input):
        node = new_node(forget, b"BernoulliBackward0")
        link(node, 0, input)
    bernoulli_into(y, input, generator)
    if node is not None:
        attach(y, node)
    return y


def bernoulli_(Tensor self not None, p=0.5, *, generator=None):
    """Fill with ones with the probability `p`, a number or a tensor of them."""
    cdef Node node
    cdef bint given = isinstance(p, Tensor)
    cdef double chance = 0 if given else read_chance(p)
    check_inplace(self)
    node = overwriting(self, None, forget, b"BernoulliBackward1" if given
                       else b"BernoulliBackward2")
    if given:
        bernoulli_into(self, <Tensor>p, generator)
    else:
        draw(self, DRAW_BERNOULLI, chance, 0, generator)
    if node is not None:
        rebase(self, node)
    return self


# ---- Poisson, binomial, gamma, Dirichlet ----

cdef Tensor sampled(int what, Tensor a, Tensor b, double least, object generator):
    cdef View[3] v
    cdef Scalar[3] s
    cdef Tensor y = empty_like(a)
    a = contiguous(a)
    view_of(&v[0], y)
    view_of(&v[1], a)
    if b is not None:
        b = contiguous(b)
        view_of(&v[2], b)
    s[0].i = address(source(generator))
    s[1].i = what
    s[2].f = least
    run(SAMPLE, v, 2 if b is None else 3, 1, s, 3, 0, y.storage.device)
    return y


def poisson(Tensor input not None, generator=None):
    """Return numbers of the Poisson distributions whose rates the input holds."""
    cdef Node node = None
    cdef Tensor y
    if not is_float(input.code):
        raise NotImplementedError(
            f"\"poisson_cpu\" not implemented for '{dtype_word(input.code)}'")
    if needs_grad(input):
        node = new_node(forget, b"PoissonBackward0")
        link(node, 0, input)
    try:
        y = sampled(SAMPLE_POISSON, input, None, 0, generator)
    except RuntimeError:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if node is not None:
        attach(y, node)
    return y


cdef int no_derivative(Node node, Tensor gy) except -1:
    raise RuntimeError(f"derivative for {node.title.decode()} is not implemented")


def binomial(Tensor count not None, Tensor prob not None, generator=None):
    """Return numbers of successes in `count` trials of probability `prob`."""
    cdef Node node = None
    cdef Tensor y, p
    for name, x in (("count", count), ("prob", prob)):
        if not is_float((<Tensor>x).code):
            raise ValueError(f"binomial only supports floating-point dtypes for "
                             f"{name}, got: {dtype_word((<Tensor>x).code)}")
    if count.code != prob.code:
        raise RuntimeError(f"Found dtype {dtype_word(prob.code)} but expected "
                           f"{dtype_word(count.code)}")
    if count.code != F32 and count.code != F64:
        raise NotImplementedError(
            f"\"binomial_cpu\" not implemented for '{dtype_word(count.code)}'")
    if needs_grad2(count, prob):
        node = new_node(no_derivative, b"binomial")
        link(node, 0, count)
        link(node, 1, prob)
    p = c_expand(prob.detach(), count.rank, count.sizes)
    y = sampled(SAMPLE_BINOMIAL, count, p, -INFINITY, generator)
    if node is not None:
        attach(y, node)
    return y


def _standard_gamma(Tensor input not None, generator=None):
    """Return numbers of the gamma distributions of rate 1 and these shapes."""
    cdef Tensor y
    cdef Node node = None
    check_single(input, "gamma")
    if needs_grad(input):
        node = new_node(gamma_backward, b"StandardGammaBackward0")
        link(node, 0, input)
        save(node, 0, input)
    y = sampled(SAMPLE_GAMMA, input, None, -INFINITY, generator)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


cdef int check_single(Tensor x, str name) except -1:
    if x.code != F32 and x.code != F64:
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{dtype_word(x.code)}'")
    return 0


cdef int gamma_backward(Node node, Tensor gy) except -1:
    """d alpha = dy times the slope of the sample at a constant quantile"""
    cdef Tensor alpha = saved(node, 0), y = saved(node, 1)
    send(node, 0, c_mul(gy, binary(GAMMA_SLOPE, PROMOTE, alpha, y, NULL, None)))
    return 0


def _standard_gamma_grad(Tensor self not None, Tensor output not None):
    """Return how samples `output` of gamma distributions move with their shapes."""
    return binary(GAMMA_SLOPE, PROMOTE, self, output, NULL, None)


def _dirichlet_grad(Tensor x not None, Tensor alpha not None, Tensor total not None):
    """Return how shares x move with their concentrations alpha, divided by 1 - x."""
    return ternary(BETA_SLOPE, PROMOTE, x, alpha, total, None)


def _sample_dirichlet(Tensor input not None, generator=None):
    """Return shares drawn from the Dirichlet distributions of the last dimension."""
    cdef View[3] v
    cdef Scalar s
    cdef Tensor a, y = empty_like(input), work
    cdef int64_t cols = input.sizes[input.rank - 1] if input.rank else 1
    cdef Node node = None
    check_single(input, "dirichlet")
    if needs_grad(input):
        node = new_node(no_derivative, b"_sample_dirichlet")
        link(node, 0, input)
    a = contiguous(input)
    work = empty_beside(input, 1, &cols, F64)
    view_of(&v[0], y)
    view_of(&v[1], a)
    view_of(&v[2], work)
    s.i = address(source(generator))
    run(DIRICHLET, v, 3, 1, &s, 1, 0, y.storage.device)
    if node is not None:
        attach(y, node)
    return y


# ---- multinomial ----

cdef int check_multinomial(Tensor w, int64_t k, bint replacement) except -1:
    cdef int64_t cols
    if w.rank != 1 and w.rank != 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not is_float(w.code):
        raise RuntimeError("multinomial only supports floating-point dtypes for input, "
                           f"got: {dtype_word(w.code)}")
    cols = w.sizes[w.rank - 1]
    if cols > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    if k <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and k > cols:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    return 0


cdef int refuse_weights(Tensor w, bint replacement) except -1:
    """Say what is wrong with weights that a kernel refused."""
    rows = w.tolist() if w.rank == 2 else [w.tolist()]
    for row in rows:
        for value in row:
            odd = value != value or value == INFINITY
            if not replacement and (odd or value < 0):
                raise RuntimeError("probability tensor contains either `inf`, `nan` or "
                                   "element < 0")
            if value < 0:
                raise RuntimeError("invalid multinomial distribution (encountering "
                                   "probability entry < 0)")
            if odd:
                raise RuntimeError("invalid multinomial distribution (encountering "
                                   "probability entry = infinity or NaN)")
    raise RuntimeError(
        "invalid multinomial distribution (sum of probabilities <= 0)")


def multinomial(Tensor input not None, num_samples, replacement=False, *,
                generator=None, out=None):
    """Return indices drawn from each row in proportion to its weights.

    Example:
        >>> multinomial(tensor([0.0, 1.0]), 2, replacement=True).tolist()
        [1, 1]
    """
    cdef View[3] v
    cdef Scalar[3] s
    cdef int64_t[2] sizes
    cdef int64_t k = read_int(num_samples, "multinomial", "num_samples"), room
    cdef Tensor y, w, work
    cdef bint replaced = replacement
    if isinstance(out, Tensor) and (<Tensor>out).code != I64:
        raise RuntimeError("multinomial expects Long tensor out, got: "
                           f"{dtype_word((<Tensor>out).code)}")
    check_multinomial(input, k, replaced)
    w = contiguous(input)
    room = max(w.sizes[w.rank - 1], 2 * k)
    sizes[0] = w.sizes[0]
    sizes[w.rank - 1] = k
    y = empty_beside(w, w.rank, sizes, I64)
    work = empty_beside(w, 1, &room, F64)
    view_of(&v[0], y)
    view_of(&v[1], w)
    view_of(&v[2], work)
    s[0].i = address(source(generator))
    s[1].i = w.sizes[0] if w.rank == 2 else 1
    s[2].i = replaced
    try:
        run(MULTINOMIAL, v, 3, 1, s, 3, 0, y.storage.device)
    except RuntimeError:
        refuse_weights(input, replaced and k > 1)
    return deliver(y, out)
