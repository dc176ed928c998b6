"""The history of views that are written, and the adjoint of broadcasting.

Writing through a view changes its base: the base's node becomes CopySlices, whose
inputs are the base before and the op that made the slice.  The view itself, and every
other view, then derives its node from the base's the next time anybody asks.
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    RUNS_ONCE, Node, attach, edge_of, gradient_ops, new_node, refuse_view, saved, send,
    set_edge, wants)
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_reshape, c_to
from tinytorch._core.ops.strided cimport (
    Layout, as_strided_node, cut_out, layout_of, take)
from tinytorch._core.tensor cimport (
    NO_REBASE, REQUIRES_GRAD, Tensor, operators, tell_views)
from tinytorch._core.types cimport MAX_DIMS


# ---- writing through a view ----

cdef int rebase_view(Tensor x, Node node) except -1:
    """x, a view, was written by the op of `node`:
    make that part of its base's history."""
    cdef Tensor base = x.base
    cdef Node slices
    cdef bint fresh
    if base.code != x.code:
        return attach(x, node)
    slices = new_node(copy_slices_backward, b"CopySlices")
    set_edge(slices, 0, edge_of(base), base.output)
    set_edge(slices, 1, node, 0)
    slices.context = (layout_of(x), layout_of(base))
    slices.saved_output = RUNS_ONCE
    fresh = not base.flags & REQUIRES_GRAD
    attach(base, slices)
    if fresh:
        tell_views(base)
    x.flags |= REQUIRES_GRAD
    x.node = slices  # stands in until the view's own node is asked for
    x.output = 0
    x.view_version = x.storage.version - 1
    return 0


cdef int copy_slices_backward(Node node, Tensor gy) except -1:
    """d base = dy outside the slice; the op that wrote the slice gets dy inside it"""
    cdef Layout inner, outer
    if node.context is None:
        saved(node, 0)  # raises: released
    inner = <Layout>(<tuple>node.context)[0]
    outer = <Layout>(<tuple>node.context)[1]
    if wants(node, 0):
        send(node, 0, cut_out(gy, inner, outer))
    if wants(node, 1):
        send(node, 1, take(gy, inner, outer))
    return 0


cdef Node derive_view(Tensor x):
    """The node of a view after its storage was written: derived from the base's."""
    cdef Tensor base = x.base
    if base.flags & REQUIRES_GRAD and base.code == x.code:
        if x.flags & NO_REBASE:
            refuse_view(x, True)
        x.node = as_strided_node(edge_of(base), base.output, layout_of(base),
                                 layout_of(x))
        x.output = 0
    x.view_version = x.storage.version
    return x.node


cdef object grad_fn(Tensor x):
    """What x.grad_fn shows for a view."""
    if x.flags & REQUIRES_GRAD and x.view_version != x.storage.version:
        derive_view(x)
    return x.node


# ---- the adjoint of broadcasting ----

cdef Tensor fit(Tensor g, int code, list shape):
    """g summed down to `shape` and cast: what an input that was broadcast receives."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d, rank = len(shape), lead = g.rank - rank
    cdef uint64_t dims = 0
    cdef bint inner = False
    for d in range(g.rank):
        if d < lead:
            dims |= <uint64_t>1 << d
            continue
        sizes[d - lead] = shape[d - lead]
        if sizes[d - lead] == 1 and g.sizes[d] != 1:
            dims |= <uint64_t>1 << d
            inner = True
    if dims:
        if inner:
            g = c_sum(g, dims, True)
            if lead:
                g = c_reshape(g, rank, sizes)
        else:
            g = c_sum(g, dims, False)
    return g if g.code == code else c_to(g, code)


gradient_ops.rebase_view = rebase_view
gradient_ops.derive_view = derive_view
gradient_ops.fit = fit
operators.grad_fn = grad_fn
