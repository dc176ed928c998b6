"""Gradients on their way: from a node's derivative to the nodes and leaves before it.

A gradient that arrives first is borrowed; only the second one makes a sum.
"""

cimport cython

from tinytorch._core.graph cimport edge, gradient_ops, number_of
from tinytorch._core.hooks cimport run_hooks
from tinytorch._core.modes cimport grad_mode, tt_anomaly, tt_check_nan
from tinytorch._core.tensor cimport is_contiguous

import warnings

cdef extern from "modes.h" nogil:
    void* tt_current_run

cdef extern from *:
    """
    #define TT_REFCOUNT(o) Py_REFCNT((PyObject *)(o))
    """
    Py_ssize_t TT_REFCOUNT(object o)


# ---- the pass ----

@cython.final
@cython.freelist(8)
cdef class Run:
    """One pass backward."""

    def __init__(self):
        raise TypeError("passes are started by backward()")


cdef Run swap_run(Run run):
    """Make `run` this thread's pass (None: no pass); returns what it was."""
    global tt_current_run
    cdef Run before = None if tt_current_run == NULL else <Run>tt_current_run
    tt_current_run = NULL if run is None else <void*>run  # the caller holds it
    return before


def current_graph_task_id() -> int:
    """Return the number of the pass that this thread is in, -1 outside one."""
    return -1 if tt_current_run == NULL else (<Run>tt_current_run).number


# ---- gradients of a node's outputs ----

cdef Tensor output_gradient(Node node, int nr):
    if nr == 0:
        return node.g0
    if node.more_g is None or len(node.more_g) < nr:
        return None
    return <Tensor>node.more_g[nr - 1]


cdef int set_output_gradient(Node node, int nr, Tensor g) except -1:
    if nr == 0:
        node.g0 = g
        return 0
    if node.more_g is None:
        node.more_g = []
    while len(node.more_g) < nr:
        node.more_g.append(None)
    node.more_g[nr - 1] = g
    return 0


# ---- from a node to those before it ----

cdef int send(Node node, int i, Tensor g) except -1:
    if g is None or not wants(node, i):
        return 0
    if node.fits is not None and i < len(node.fits) and node.fits[i] is not None:
        return send_on(node, i, gradient_ops.fit(g, node.fits[i][0], node.fits[i][1]))
    return send_on(node, i, g)


cdef inline int send_on(Node node, int i, Tensor g) except -1:
    """Apart from `send`, which would hold a g that it assigns to:
    accumulate() counts."""
    cdef Run run = <Run>tt_current_run
    if run.intercepting is node:
        run.intercepted[i] = g
        return 0
    if i == 0:
        return deliver(run, node, 0, node.e0, node.n0, g)
    if i == 1:
        return deliver(run, node, 1, node.e1, node.n1, g)
    return deliver(run, node, i, edge(node, i), number_of(node, i), g)


cdef int send_intercepted(Run run, Node node, int i, Tensor g) except -1:
    if g is None or not wants(node, i):
        return 0
    return deliver(run, node, i, edge(node, i), number_of(node, i), g)


cdef inline int deliver(Run run, Node node, int i, object target, int nr,
                        Tensor g) except -1:
    """Add g to what the receiver of input i's gradient has so far."""
    cdef Node receiver
    if tt_anomaly and tt_check_nan:
        refuse_nan(node, i, g)
    if type(target) is not Node and isinstance(target, Tensor):
        return send_to_leaf(run, <Tensor>target, g)
    receiver = <Node>target
    if receiver.run != run.number:
        return 0  # leads to nothing that was asked for
    if nr != 0:
        before = output_gradient(receiver, nr)
        return set_output_gradient(
            receiver, nr, g if before is None else gradient_ops.add(<Tensor>before, g))
    if receiver.g0 is None:
        receiver.g0 = g
        receiver.owns_g0 = False
    elif receiver.owns_g0 and not grad_mode():
        gradient_ops.add_into(receiver.g0, g)
    else:
        receiver.g0 = gradient_ops.add(receiver.g0, g)
        receiver.owns_g0 = True
    return 0


# ---- into leaves ----

cdef int send_to_leaf(Run run, Tensor leaf, Tensor g) except -1:
    """Keep or accumulate a gradient that has reached a leaf."""
    cdef list entry
    if run.captured is not None:
        entry = <list>run.captured.get(id(leaf))
        if entry is not None:
            entry[1] = g if entry[1] is None else gradient_ops.add(<Tensor>entry[1], g)
        return 0
    if leaf.extra is not None and ("hooks" in leaf.extra or "post_hooks" in leaf.extra):
        if run.leaves is None:
            run.leaves = {}
        entry = <list>run.leaves.setdefault(id(leaf), [leaf, None])
        entry[1] = g if entry[1] is None else gradient_ops.add(<Tensor>entry[1], g)
        return 0
    return accumulate(run, leaf, g)


cdef int accumulate(Run run, Tensor leaf, Tensor g) except -1:
    """leaf.grad += g.  A first gradient that nobody else has is taken, not copied."""
    cdef Tensor before = leaf.gradient
    if before is not None:
        if grad_mode():
            leaf.gradient = gradient_ops.add(before, g)
        else:
            gradient_ops.add_into(before, g)
    elif (not grad_mode() and TT_REFCOUNT(g) == 1 and g.storage.references == 1
            and <void*>g != run.incoming and g.base is None
            and is_contiguous(g)):
        leaf.gradient = g
    else:
        leaf.gradient = gradient_ops.clone(g)
    return 0


cdef int finish_leaves(Run run) except -1:
    """Leaves with hooks: run them on the whole gradient, then accumulate."""
    cdef Tensor leaf, g
    for leaf, g in run.leaves.values():
        if "hooks" in leaf.extra:
            g = run_hooks(leaf.extra["hooks"], g)
        accumulate(run, leaf, g)
        for hook in list(leaf.extra.get("post_hooks", {}).values()):
            hook(leaf)
    return 0


# ---- where a derivative went wrong ----

cdef int report_anomaly(Node node) except -1:
    """Say, as a warning, where the forward op of a failing node was called."""
    if node.notes is not None and "traceback_" in node.notes:
        warnings.warn(
            f"Error detected in {node.name()}. Traceback of forward call that caused "
            "the error:\n" + "".join(node.notes["traceback_"]), stacklevel=2)
    return 0


cdef int refuse_nan(Node node, int i, Tensor g) except -1:
    if bool((g != g).any()):
        raise RuntimeError(
            f"Function '{node.name()}' returned nan values in its {i}th output.")
    return 0
