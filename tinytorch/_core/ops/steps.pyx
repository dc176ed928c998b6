"""The steps of a recurrent layer, and the layer as a composition of ops.

The composition serves where the fused layer (recurrent.pyx) does not: projected LSTMs
and derivatives of the derivative.
"""

from libc.stdint cimport int64_t

from tinytorch._core.ops.activation cimport c_relu
from tinytorch._core.ops.arithmetic cimport c_add, c_mul, c_sub
from tinytorch._core.ops.linear cimport c_linear
from tinytorch._core.ops.join cimport c_cat, c_narrow
from tinytorch._core.ops.pointwise cimport c_sigmoid
from tinytorch._core.ops.circular cimport c_tanh
from tinytorch._core.tensor cimport Tensor

__all__ = []


cdef class Steps:
    """The order in which a layer reads its inputs."""

    cdef int64_t rows(self, int64_t k, int64_t* begin):
        cdef int64_t t = self.count - 1 - k if self.reverse else k
        if self.sizes is None:
            begin[0] = t * self.batch
            return self.batch
        begin[0] = self.offsets[t]
        return self.sizes[t]


cdef Steps steps_of(int kind, Tensor x, object sizes, bint reverse):
    """For x of (steps, batch, features), or packed rows of which `sizes` tells."""
    cdef Steps steps = Steps.__new__(Steps)
    cdef int64_t begin = 0, last = x.sizes[0]
    steps.kind = kind
    steps.reverse = reverse
    if sizes is None:
        steps.count = x.sizes[0]
        steps.batch = x.sizes[1]
        return steps
    steps.sizes = sizes
    steps.offsets = []
    for size in steps.sizes:
        if not 0 < size <= last:
            raise RuntimeError("batch_sizes must be positive and must not increase")
        last = size
        steps.offsets.append(begin)
        begin += size
    if begin != x.sizes[0]:
        raise RuntimeError(f"batch_sizes add up to {begin}, but the packed data have "
                           f"{x.sizes[0]} rows")
    steps.count = len(steps.sizes)
    steps.batch = steps.sizes[0] if steps.sizes else 0
    return steps


# ---- cells ----

cdef Tensor third(Tensor x, int64_t i):
    cdef int d = x.rank - 1
    cdef int64_t n = x.sizes[d] // 3
    return c_narrow(x, d, i * n, n)


cdef Tensor gru_step(Tensor x, Tensor s, Tensor h):
    cdef Tensor r = c_sigmoid(c_add(third(x, 0), third(s, 0)))
    cdef Tensor z = c_sigmoid(c_add(third(x, 1), third(s, 1)))
    cdef Tensor m = c_tanh(c_add(third(x, 2), c_mul(r, third(s, 2))))
    return c_add(m, c_mul(z, c_sub(h, m)))


cdef tuple lstm_step(Tensor gates, Tensor c):
    cdef int d = gates.rank - 1
    cdef int64_t n = gates.sizes[d] // 4
    cdef Tensor g = c_tanh(c_narrow(gates, d, 2 * n, n))
    c = c_add(c_mul(c_sigmoid(c_narrow(gates, d, n, n)), c),
              c_mul(c_sigmoid(c_narrow(gates, d, 0, n)), g))
    return c_mul(c_sigmoid(c_narrow(gates, d, 3 * n, n)), c_tanh(c)), c


cdef Tensor stepped(int kind, Tensor x, Tensor s, Tensor h):
    """The next state, but for LSTM, from the products with inputs and state."""
    if kind == GRU:
        return gru_step(x, s, h)
    x = c_add(x, s)
    return c_relu(x) if kind == RNN_RELU else c_tanh(x)


# ---- layers ----

cdef Tensor replaced(Tensor state, Tensor y, int64_t rows):
    """The state with its first rows replaced by y."""
    if rows == state.sizes[0]:
        return y
    return c_cat([y, c_narrow(state, 0, rows, state.sizes[0] - rows)], 0)


cdef tuple composed(Steps steps, Tensor x, Tensor h, Tensor c, Tensor w_ih, Tensor w_hh,
                    Tensor b_ih, Tensor b_hh, Tensor w_hr):
    cdef Tensor inputs = c_linear(x, w_ih, b_ih), y, gx, part, s, cell
    cdef list outputs = []
    cdef int64_t k, rows, at
    for k in range(steps.count):
        rows = steps.rows(k, &at)
        gx = c_narrow(inputs, 0, at, rows)
        part = h if rows == h.sizes[0] else c_narrow(h, 0, 0, rows)
        s = c_linear(part, w_hh, b_hh)
        if steps.kind == LSTM:
            cell = c if rows == c.sizes[0] else c_narrow(c, 0, 0, rows)
            y, cell = lstm_step(c_add(gx, s), cell)
            c = replaced(c, cell, rows)
            if w_hr is not None:
                y = c_linear(y, w_hr, None)
        else:
            y = stepped(steps.kind, gx, s, part)
        h = replaced(h, y, rows)
        outputs.append(y)
    if steps.reverse:
        outputs.reverse()
    return c_cat(outputs, 0), h, c
