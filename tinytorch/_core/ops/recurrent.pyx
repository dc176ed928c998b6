"""Recurrent layers: a whole sequence in one direction is one node of the graph.

The product of all inputs with their weights is made at once; then every step is the
product of the state with its weights and one call of the cell (include/recurrent.h).
Sequences of several lengths are packed: the k-th step has the rows of those that are
that long, longest first, so the state's first rows are always those that go on.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, new_node, output_gradient, save,
    save_output, saved, send, swap_grad_mode, wants)
from tinytorch._core.engine import run_backward
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, View, copy_new, fill_new, register_kernel, run,
    tt_parallel_for)
from tinytorch._core.ops.arithmetic cimport c_add
from tinytorch._core.ops.bmm cimport multiply_views
from tinytorch._core.ops.gemm cimport c_mm
from tinytorch._core.ops.linear cimport c_linear
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport (
    c_reshape, c_transpose, c_view_as, contiguous, dtype_word, zeros)
from tinytorch._core.ops.steps cimport (
    GRU, LSTM, RNN_RELU, RNN_TANH, Steps, composed, steps_of)
from tinytorch._core.tensor cimport Tensor, empty_beside, size_of
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport compute_of, itemsize

__all__ = []

cdef extern from *:
    """
    #include "recurrent.h"
    TT_FLOAT_LOOPS(lstm_forward) TT_FLOAT_LOOPS(lstm_backward)
    TT_FLOAT_LOOPS(gru_forward) TT_FLOAT_LOOPS(gru_backward)
    TT_FLOAT_LOOPS(rnn_tanh_forward) TT_FLOAT_LOOPS(rnn_tanh_backward)
    TT_FLOAT_LOOPS(rnn_relu_forward) TT_FLOAT_LOOPS(rnn_relu_backward)
    """
    void** lstm_forward_loops
    void** lstm_backward_loops
    void** gru_forward_loops
    void** gru_backward_loops
    void** rnn_tanh_forward_loops
    void** rnn_tanh_backward_loops
    void** rnn_relu_forward_loops
    void** rnn_relu_backward_loops
    int cells_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* FORWARD[4]
cdef Kernel* BACKWARD[4]
FORWARD[LSTM] = register_kernel(
    "lstm_forward", <Driver>cells_driver, lstm_forward_loops, 0, 70)
BACKWARD[LSTM] = register_kernel(
    "lstm_backward", <Driver>cells_driver, lstm_backward_loops, 0, 40)
FORWARD[GRU] = register_kernel(
    "gru_forward", <Driver>cells_driver, gru_forward_loops, 0, 45)
BACKWARD[GRU] = register_kernel(
    "gru_backward", <Driver>cells_driver, gru_backward_loops, 0, 18)
FORWARD[RNN_TANH] = register_kernel(
    "rnn_tanh_forward", <Driver>cells_driver, rnn_tanh_forward_loops, 0, 14)
BACKWARD[RNN_TANH] = register_kernel(
    "rnn_tanh_backward", <Driver>cells_driver, rnn_tanh_backward_loops, 0, 4)
FORWARD[RNN_RELU] = register_kernel(
    "rnn_relu_forward", <Driver>cells_driver, rnn_relu_forward_loops, 0, 1)
BACKWARD[RNN_RELU] = register_kernel(
    "rnn_relu_backward", <Driver>cells_driver, rnn_relu_backward_loops, 0, 2)

cdef enum:
    X = 0                  # inputs of a node
    W_IH = 1
    W_HH = 2
    B_IH = 3
    B_HH = 4
    H0 = 5
    C0 = 6
    INPUTS = 7


# ---- pieces of tensors as operands ----

cdef enum:                 # which rows of a tensor a step sees
    STATE = 0              # the first
    SEQUENCE = 1           # those of the step
    WHOLE = 2              # all

cdef struct Rows:          # a contiguous tensor as a matrix
    char* first
    void* storage
    int64_t[2] shape
    int64_t[2] strides
    int dtype, sees


cdef inline void rows_of(Rows* r, Tensor x, int sees) noexcept:
    r.first = x.storage.data + x.offset
    r.storage = x.storage
    r.shape[0] = x.sizes[0] if x.rank == 2 else 1
    r.shape[1] = x.sizes[x.rank - 1]
    r.strides[0] = x.strides[0] if x.rank == 2 else r.shape[1]
    r.strides[1] = x.strides[x.rank - 1]
    r.dtype = x.code
    r.sees = sees


cdef inline void operand(View* v, Rows* r, int64_t begin, int64_t rows) noexcept:
    v.data = r.first
    if r.sees != WHOLE:
        r.shape[0] = rows
    if r.sees == SEQUENCE:
        v.data += begin * r.shape[1] * itemsize[r.dtype]
    v.shape = r.shape
    v.strides = r.strides
    v.storage = r.storage
    v.numel = r.shape[0] * r.shape[1]
    v.ndim = 2
    v.dtype = r.dtype
    v.contiguous = r.strides[1] == 1


cdef struct Calls:         # the two calls of a step
    const Kernel* cell
    int operands, outputs
    Rows[8] of_cell
    Rows[3] of_product     # with the weights of the state
    int compute, device


cdef inline int run_cell(Calls* calls, int64_t begin, int64_t rows) except -1:
    cdef View[8] v
    cdef int i
    for i in range(calls.operands):
        operand(&v[i], &calls.of_cell[i], begin, rows)
    return run(calls.cell, v, calls.operands, calls.outputs, NULL, 0, calls.compute,
               calls.device)


cdef inline int run_product(Calls* calls, int64_t begin, int64_t rows,
                            double beta) except -1:
    cdef View[3] v
    cdef int i
    for i in range(3):
        operand(&v[i], &calls.of_product[i], begin, rows)
    return multiply_views(v, 1, beta, calls.device)


cdef int takes(Calls* calls, Tensor x, int sees) except -1:
    """x is the cell's next operand."""
    rows_of(&calls.of_cell[calls.operands], x, sees)
    calls.operands += 1
    return 0


cdef Tensor matrix(Tensor like, int64_t rows, int64_t cols):
    cdef int64_t[2] shape
    shape[0], shape[1] = rows, cols
    return empty_beside(like, 2, shape, like.code)


cdef Tensor initial(Tensor state, Tensor like, int64_t rows, int64_t cols):
    """A copy of the state, zeros unless given, which the steps will replace."""
    cdef Tensor y = matrix(like, rows, cols)
    if state is None:
        fill_new(y, 0, 0)
    else:
        copy_new(y, state)
    return y


# ---- forward ----

cdef int check_places(tuple tensors) except -1:
    """All must have the input's dtype and device."""
    cdef Tensor x = tensors[X], other
    for other in tensors:
        if other is None:
            continue
        if other.code != x.code:
            words = [dtype_word(x.code), dtype_word(other.code)]
            if other is tensors[H0] or other is tensors[C0]:  # multiplied by weights
                words.reverse()
            raise RuntimeError("mat1 and mat2 must have the same dtype, but got "
                               f"{words[0]} and {words[1]}")
        if other.storage.device != x.storage.device:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, {other.device} and {x.device}!")
    return 0


cdef int check_shapes(Steps steps, tuple tensors) except -1:
    """The kernels trust these shapes, and weights can be replaced by anything."""
    cdef Tensor x = tensors[X], w = tensors[W_HH]
    cdef int64_t n = w.sizes[1] if w.rank == 2 else 0
    cdef int64_t rows = (4 if steps.kind == LSTM else 3 if steps.kind == GRU else 1) * n
    expect("input", x, 2, x.sizes[0], x.sizes[1])
    expect("weight_hh", w, 2, rows, n)
    expect("weight_ih", tensors[W_IH], 2, rows, x.sizes[1])
    expect("bias_ih", tensors[B_IH], 1, rows, 0)
    expect("bias_hh", tensors[B_HH], 1, rows, 0)
    expect("hidden", tensors[H0], 2, steps.batch, n)
    return expect("cell", tensors[C0], 2, steps.batch, n)


cdef int expect(str name, Tensor x, int rank, int64_t rows, int64_t cols) except -1:
    if x is None or x.rank == rank and x.sizes[0] == rows and (
            rank == 1 or x.sizes[1] == cols):
        return 0
    raise RuntimeError(
        f"recurrent layer: expected {name} of shape {[rows, cols][:rank]}, got "
        f"{list(size_of(x))}")


cdef bint needs_any(tuple tensors):
    for x in tensors:
        if x is not None and needs_grad(<Tensor>x):
            return True
    return False


cdef tuple recurrent(Steps steps, tuple inputs):
    """The outputs (rows, n) in the order of the inputs (rows, features), the last state
    (batch, n), and the last cell or None."""
    cdef Node node = None
    cdef Tensor y, h, c = None, x
    cdef bint mode
    cdef int i
    check_places(inputs)
    check_shapes(steps, inputs)
    if needs_any(inputs):
        node = new_node(recurrent_backward, titles[steps.kind])
        for i in range(INPUTS):
            x = inputs[i]
            if x is not None:
                link(node, i, x)
            if i <= W_HH:
                save(node, i, x)
    mode = swap_grad_mode(False)
    try:
        h = initial(inputs[H0], inputs[X], steps.batch, (<Tensor>inputs[W_HH]).sizes[1])
        if steps.kind == LSTM:
            c = initial(inputs[C0], h, h.sizes[0], h.sizes[1])
        y, kept = forward_steps(steps, inputs, h, c, node is not None)
    finally:
        swap_grad_mode(mode)
    if node is not None:
        rest = inputs[B_IH:]
        node.context = (steps, kept, rest, [version(x) for x in rest])
        save_output(node, 3, y)
        attach(y, node)
        attach(h, node, 1)
        if c is not None:
            attach(c, node, 2)
    return y, h, c


cdef const char* titles[4]
titles[LSTM] = b"LstmBackward0"
titles[GRU] = b"GruBackward0"
titles[RNN_TANH] = b"RnnTanhBackward0"
titles[RNN_RELU] = b"RnnReluBackward0"


cdef int64_t version(Tensor x):
    return 0 if x is None else x.storage.version


cdef tuple forward_steps(Steps steps, tuple inputs, Tensor h, Tensor c, bint train):
    """The outputs, and (gates, old states, old cells or what the GRU adds)."""
    cdef Tensor x = inputs[X], bias = inputs[B_IH]
    cdef Tensor w = c_transpose(contiguous(inputs[W_HH]), 0, 1)  # (n, gates)
    cdef Tensor gates, y, s, old_h = None, extra = None
    cdef Calls calls
    cdef int64_t k, rows, begin, n = h.sizes[1], all_rows = x.sizes[0]
    cdef bint gated = steps.kind == LSTM or steps.kind == GRU
    if steps.count > 2:  # a product reads rows faster, which pays for the copy
        w = contiguous(w)
    if steps.kind != GRU and bias is not None:
        bias = c_add(bias, inputs[B_HH])
    gates = c_linear(x, inputs[W_IH], bias)
    y = matrix(x, all_rows, n) if gated else gates
    s = matrix(x, steps.batch, 3 * n) if steps.kind == GRU else gates
    if train:
        old_h = matrix(x, all_rows, n)
        extra = matrix(x, all_rows, n) if gated else None
    calls.cell = FORWARD[steps.kind]
    calls.compute = compute_of[x.code]
    calls.device = x.storage.device
    forward_operands(&calls, steps.kind, h, c, y, gates, old_h, extra)
    if steps.kind == GRU:
        bias = inputs[B_HH]
        bias = zeros(1, w.sizes + 1, x, x.code) if bias is None else contiguous(bias)
        takes(&calls, s, STATE)
        takes(&calls, bias, WHOLE)
    rows_of(&calls.of_product[0], s, STATE if steps.kind == GRU else SEQUENCE)
    rows_of(&calls.of_product[1], h, STATE)
    rows_of(&calls.of_product[2], w, WHOLE)
    for k in range(steps.count):
        rows = steps.rows(k, &begin)
        run_product(&calls, begin, rows, 0 if steps.kind == GRU else 1)
        run_cell(&calls, begin, rows)
    return y, (gates if gated else None, old_h, extra)


cdef int forward_operands(Calls* calls, int kind, Tensor h, Tensor c, Tensor y,
                          Tensor gates, Tensor old_h, Tensor extra) except -1:
    """The outputs of the cell, in the order of include/recurrent.h."""
    calls.operands = 0
    takes(calls, h, STATE)
    if kind == LSTM:
        takes(calls, c, STATE)
    takes(calls, y, SEQUENCE)
    if kind == LSTM or kind == GRU:
        takes(calls, gates, SEQUENCE)
    if kind == GRU:  # which always writes them, if only to be overwritten
        takes(calls, y if extra is None else extra, SEQUENCE)
        takes(calls, y if old_h is None else old_h, SEQUENCE)
    elif old_h is not None:
        takes(calls, old_h, SEQUENCE)
        if kind == LSTM:
            takes(calls, extra, SEQUENCE)
    calls.outputs = calls.operands
    return 0


# ---- backward ----

cdef int recurrent_backward(Node node, Tensor gy) except -1:
    """From the last step to the first: the gates' gradients from those of output and
    state, then the state's as gates' times weights.  Those of the weights are products
    over all steps: gates' with the inputs, and with the states before the step."""
    if grad_mode():
        return backward_by_composition(node, gy)
    cdef Tensor x = saved(node, X), w = contiguous(saved(node, W_HH))
    cdef Tensor y = saved(node, 3)
    cdef Tensor gh, gc = None, gx, gs, old_h
    cdef Steps steps
    cdef Calls calls
    cdef int64_t k, rows, begin, n = w.sizes[1]
    steps, kept, _, _ = node.context
    old_h = kept[1]
    gy = zeros(2, y.sizes, y, y.code) if gy is None else contiguous(gy)
    gh = initial(output_gradient(node, 1), x, steps.batch, n)
    if steps.kind == LSTM:
        gc = initial(output_gradient(node, 2), x, steps.batch, n)
    gx = matrix(x, x.sizes[0], w.sizes[0])
    gs = matrix(x, x.sizes[0], w.sizes[0]) if steps.kind == GRU else gx
    calls.cell = BACKWARD[steps.kind]
    calls.compute = compute_of[x.code]
    calls.device = x.storage.device
    backward_operands(&calls, steps.kind, kept, y, gy, gh, gc, gx, gs)
    rows_of(&calls.of_product[0], gh, STATE)
    rows_of(&calls.of_product[1], gs, SEQUENCE)
    rows_of(&calls.of_product[2], w, WHOLE)
    for k in range(steps.count - 1, -1, -1):
        rows = steps.rows(k, &begin)
        run_cell(&calls, begin, rows)
        if k or wants(node, H0):
            run_product(&calls, begin, rows, 1 if steps.kind == GRU else 0)
    if wants(node, X):
        send(node, X, c_mm(gx, False, saved(node, W_IH), False))
    if wants(node, W_IH):
        send(node, W_IH, c_mm(gx, True, x, False))
    if wants(node, W_HH):
        send(node, W_HH, c_mm(gs, True, old_h, False))
    if wants(node, B_IH):
        send(node, B_IH, c_sum(gx, 1))
    if wants(node, B_HH):
        send(node, B_HH, c_sum(gs, 1))
    send(node, H0, gh)
    send(node, C0, gc)
    return 0


cdef int backward_operands(Calls* calls, int kind, tuple kept, Tensor y, Tensor gy,
                           Tensor gh, Tensor gc, Tensor gx, Tensor gs) except -1:
    """What the cell's backward takes, in the order of include/recurrent.h."""
    cdef Tensor gates = kept[0], old_h = kept[1], extra = kept[2]
    calls.operands = 0
    if kind == LSTM:
        calls.outputs = 2
        takes(calls, gc, STATE)
        takes(calls, gx, SEQUENCE)
        takes(calls, gy, SEQUENCE)
        takes(calls, gates, SEQUENCE)
        takes(calls, extra, SEQUENCE)
        takes(calls, gh, STATE)
    elif kind == GRU:
        calls.outputs = 3
        takes(calls, gh, STATE)
        takes(calls, gx, SEQUENCE)
        takes(calls, gs, SEQUENCE)
        takes(calls, gy, SEQUENCE)
        takes(calls, gates, SEQUENCE)
        takes(calls, extra, SEQUENCE)
        takes(calls, old_h, SEQUENCE)
    else:
        calls.outputs = 1
        takes(calls, gx, SEQUENCE)
        takes(calls, gy, SEQUENCE)
        takes(calls, y, SEQUENCE)
        takes(calls, gh, STATE)
    return 0


cdef int backward_by_composition(Node node, Tensor gy) except -1:
    """Under create_graph: make the layer again of ops, and differentiate these."""
    cdef Steps steps
    cdef Tensor x, twin
    cdef list inputs, twins = [], wanted = [], found
    cdef int i
    steps, _, rest, versions = node.context
    for x, expected in zip(rest, versions):
        if version(x) != expected:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been "
                f"modified by an inplace operation: a state or bias is at version "
                f"{version(x)}; expected version {expected} instead.")
    inputs = [saved(node, X), saved(node, W_IH), saved(node, W_HH), *rest]
    for i in range(INPUTS):  # twins: an input may be a function of another
        x = inputs[i]
        twin = None if x is None else c_view_as(x, x)
        twins.append(twin)
        if x is not None and wants(node, i):
            wanted.append((i, twin))
    x = inputs[X]
    n = (<Tensor>inputs[W_HH]).sizes[1]
    for i in (H0, C0):
        if twins[i] is None and (i == H0 or steps.kind == LSTM):
            twins[i] = initial(None, x, steps.batch, n)
    outputs = composed(steps, twins[X], twins[H0], twins[C0], twins[W_IH], twins[W_HH],
                       twins[B_IH], twins[B_HH], None)
    pairs = [(outputs[i], g) for i, g in enumerate(
        (gy, output_gradient(node, 1), output_gradient(node, 2))) if g is not None]
    found = run_backward([y for y, _ in pairs], [g for _, g in pairs], True, True,
                         [twin for _, twin in wanted], True, False)
    for (i, _), g in zip(wanted, found):
        send(node, i, g)
    return 0


# ---- for nn ----

cdef dict kinds = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": RNN_TANH, "RNN_RELU": RNN_RELU}


def _recurrent_layer(str mode not None, Tensor x not None, weights not None,
                     bint biased, bint reverse, sizes=None, Tensor h0=None,
                     Tensor c0=None):
    """Return outputs, last state and last cell of one layer in one direction.

    Args:
        mode: LSTM, GRU, RNN_TANH or RNN_RELU; their states are zero unless given.
        x: (steps, batch, features), or packed rows with the `sizes` of the steps.
        weights: w_ih, w_hh, b_ih and b_hh if biased, and an LSTM's projection if it
            has one.
    """
    cdef Steps steps = steps_of(kinds[mode], x, sizes, reverse)
    cdef Tensor flat = x, y, h, c, w_hr = None, w_ih = weights[0], w_hh = weights[1]
    cdef Tensor b_ih = None, b_hh = None
    cdef int64_t[3] shape
    if x.rank == 3:
        shape[0], shape[1] = x.sizes[0] * x.sizes[1], x.sizes[2]
        flat = c_reshape(x, 2, shape)
    if biased:
        b_ih, b_hh = weights[2], weights[3]
    if len(weights) > (4 if biased else 2):
        w_hr = weights[4 if biased else 2]
        if h0 is None:
            h0 = initial(None, x, steps.batch, w_hr.sizes[0])
            c0 = initial(None, x, steps.batch, w_hr.sizes[1])
        y, h, c = composed(steps, flat, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    else:
        y, h, c = recurrent(steps, (flat, w_ih, w_hh, b_ih, b_hh, h0, c0))
    if x.rank == 3:
        shape[0], shape[1], shape[2] = x.sizes[0], x.sizes[1], y.sizes[1]
        y = c_reshape(y, 3, shape)
    return y, h, c


def _recurrent_cell(str mode not None, Tensor x not None, Tensor w_ih not None,
                    Tensor w_hh not None, Tensor b_ih=None, Tensor b_hh=None,
                    Tensor h=None, Tensor c=None):
    """Return state and cell of (batch, n) after one step; no cell but for an LSTM.

    State and cell are zero unless given.
    """
    cdef Steps steps = Steps.__new__(Steps)
    steps.kind = kinds[mode]
    steps.count = 1
    steps.batch = x.sizes[0]
    y, _, c = recurrent(steps, (x, w_ih, w_hh, b_ih, b_hh, h, c))
    return y, c
