"""The graph of reverse-mode differentiation: nodes, what they save, where gradients go.

A gradient that arrives first is borrowed; only the second one makes a sum.  The pass
itself is in engine.pyx.
"""

cimport cython
from libc.stdint cimport uint32_t
from libc.string cimport memset

from tinytorch._core.tensor cimport (
    CONTIGUOUS, INFERENCE, NO_REBASE, REQUIRES_GRAD, RETAINS_GRAD, Tensor, alias,
    is_contiguous, same_shape, size_of)
from tinytorch._core.types cimport is_float, dtype_of

import gc
import weakref

cdef extern from "modes.h" nogil:
    int tt_grad_mode
    int tt_inference_mode
    void* tt_current_run

cdef extern from *:
    """
    #define TT_REFCOUNT(o) Py_REFCNT((PyObject *)(o))
    """
    Py_ssize_t TT_REFCOUNT(object o)

cdef GradientOps ops
memset(&ops, 0, sizeof(ops))
gradient_ops = &ops


cdef bint grad_mode() noexcept nogil:
    return tt_grad_mode


cdef bint inference_mode() noexcept nogil:
    return tt_inference_mode


cdef bint swap_grad_mode(bint on) noexcept nogil:
    global tt_grad_mode
    cdef bint before = tt_grad_mode
    tt_grad_mode = on
    return before


def is_grad_enabled() -> bool:
    """Return whether ops record a graph."""
    return tt_grad_mode != 0


def set_grad_enabled_flag(bint on) -> bool:
    """Turn recording on or off in this thread; return what it was."""
    return swap_grad_mode(on) != 0


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on."""
    return tt_inference_mode != 0


def set_inference_mode_flag(bint on) -> bool:
    """Turn inference mode on or off in this thread; return what it was."""
    global tt_inference_mode
    cdef bint before = tt_inference_mode
    tt_inference_mode = on
    return before


# ---- nodes ----

@cython.freelist(256)
@cython.trashcan(True)
cdef class Node:
    """One recorded op: where its inputs' gradients go, and what it saved for them."""

    def __init__(self):
        raise TypeError("nodes are made by ops")

    def name(self):
        """Return the name of the op's derivative."""
        return self.title.decode()

    def __repr__(self):
        return f"<{self.title.decode()} object at {hex(id(self))}>"

    @property
    def next_functions(self):
        """Pairs (node, output number) where gradients go next."""
        cdef list pairs = []
        for i in range(self.inputs):
            target = edge(self, i)
            if isinstance(target, Tensor):
                pairs.append((accumulator(<Tensor>target), 0))
            else:
                pairs.append((target, number_of(self, i)))
        return tuple(pairs)

    @property
    def saved_tensors(self):
        """The tensors that backward will use."""
        return tuple([saved(self, k) for k, s in enumerate(
            (self.s0, self.s1, self.s2, self.s3)) if s is not None])

    @property
    def metadata(self):
        """A dict for whatever users want to attach."""
        if self.notes is None:
            self.notes = {}
        return self.notes

    @property
    def variable(self):
        """The leaf that an AccumulateGrad node stands for."""
        if self.backward != accumulate_unused:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return self.context

    def register_hook(self, hook):
        """Call hook(grad_inputs, grad_outputs) after this node's backward."""
        return add_hook(self, "post", hook)

    def register_prehook(self, hook):
        """Call hook(grad_outputs) before this node's backward."""
        return add_hook(self, "pre", hook)


class HookHandle:
    """Removes its hook when asked to."""

    next_id = 0

    def __init__(self, table):
        self.id = HookHandle.next_id
        HookHandle.next_id += 1
        self._table = table

    def remove(self):
        """Take the hook away; a second call does nothing."""
        self._table.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()


cdef object add_hook(Node node, object key, object hook):
    if node.hooks is None:
        node.hooks = {}
    table = node.hooks.setdefault(key, {})
    handle = HookHandle(table)
    table[handle.id] = hook
    return handle


def register_tensor_hook(Tensor x not None, hook):
    """Call hook(gradient) when x's gradient is known; it may return another one."""
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require "
                           "gradient")
    if x.node is None:
        table = x._extra.setdefault("hooks", {})
        handle = HookHandle(table)
        table[handle.id] = hook
        return handle
    return add_hook(<Node>edge_of(x), <int>x.output, hook)


def register_post_accumulate_hook(Tensor x not None, hook):
    """Call hook(x) after a gradient has been accumulated in the leaf x."""
    if x.node is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on "
                           "non-leaf tensors")
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require "
                           "gradient")
    table = x._extra.setdefault("post_hooks", {})
    handle = HookHandle(table)
    table[handle.id] = hook
    return handle


def retain_grad(Tensor x not None):
    """Keep x's gradient in x.grad although x is not a leaf."""
    cdef Node node
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if x.node is None or x.flags & RETAINS_GRAD:
        return
    x.flags |= RETAINS_GRAD
    node = <Node>edge_of(x)
    if node.hooks is None:
        node.hooks = {}
    node.hooks.setdefault("retain", []).append((<int>x.output, weakref.ref(x)))


cdef int accumulate_unused(Node node, Tensor gy) except -1:
    send(node, 0, gy)
    return 0


cdef Node accumulator(Tensor leaf):
    """The node that stands for a leaf where somebody looks at the graph."""
    extra = leaf._extra
    cdef Node node = None
    if "accumulator" in extra:
        node = extra["accumulator"]()
    if node is None:
        node = new_node(accumulate_unused, b"torch::autograd::AccumulateGrad")
        node.context = leaf
        extra["accumulator"] = weakref.ref(node)
    return node


cdef Node new_node(Backward backward, const char* title):
    cdef Node node = Node.__new__(Node)
    node.backward = backward
    node.title = title
    node.outputs = 1
    if anomaly:
        node.notes = {"traceback_": describe_stack()}
    return node


# ---- anomaly mode: where was the op whose derivative went wrong? ----

cdef bint anomaly = False, check_nan = False
cdef object describe_stack = None, warn = None  # modules that only this mode needs


def is_anomaly_enabled() -> bool:
    """Return whether nodes remember where they were made."""
    return anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether backward raises when a gradient holds NaN."""
    return check_nan


def set_anomaly_flag(bint on, bint nan=True):
    """Turn anomaly mode on or off."""
    global anomaly, check_nan, describe_stack, warn
    if on:
        from traceback import format_stack as describe_stack
        from warnings import warn
    anomaly, check_nan = on, nan


cdef int report_anomaly(Node node) except -1:
    """Say, as a warning, where the forward op of a failing node was called."""
    if node.notes is not None and "traceback_" in node.notes:
        warn(
            f"Error detected in {node.name()}. Traceback of forward call that caused "
            "the error:\n" + "".join(node.notes["traceback_"]), stacklevel=2)
    return 0


cdef int refuse_nan(Node node, int i, Tensor g) except -1:
    if bool((g != g).any()):
        raise RuntimeError(
            f"Function '{node.name()}' returned nan values in its {i}th output.")
    return 0


cdef object edge_of(Tensor x):
    """Where x's gradient goes: its node, x itself if it is a leaf, or None."""
    if not x.flags & REQUIRES_GRAD:
        return None
    if x.base is not None and x.view_version != x.storage.version:
        ops.derive_view(x)
    return x if x.node is None else x.node


cdef int set_edge(Node node, int i, object target, int nr) except -1:
    if i >= node.inputs:
        node.inputs = i + 1
    if i == 0:
        node.e0 = target
        node.n0 = nr
    elif i == 1:
        node.e1 = target
        node.n1 = nr
    elif i == 2:
        node.e2 = target
        node.n2 = nr
    else:
        if node.more_edges is None:
            node.more_edges = []
            node.more_numbers = []
        while len(node.more_edges) <= i - 3:
            node.more_edges.append(None)
            node.more_numbers.append(0)
        node.more_edges[i - 3] = target
        node.more_numbers[i - 3] = nr
    return 0


cdef int link(Node node, int i, Tensor x) except -1:
    return set_edge(node, i, edge_of(x), x.output)


cdef int link_fitted(Node node, int i, Tensor x, Tensor y) except -1:
    """Link an input that was broadcast or cast to y's shape and dtype.

    Its gradients are then summed and cast back when they are sent.
    """
    set_edge(node, i, edge_of(x), x.output)
    if x.code != y.code or not same_shape(x, y):
        if node.fits is None:
            node.fits = []
        while len(node.fits) <= i:
            node.fits.append(None)
        node.fits[i] = (<int>x.code, [x.sizes[d] for d in range(x.rank)])
    return 0


cdef object edge(Node node, int i):
    if i == 0:
        return node.e0
    if i == 1:
        return node.e1
    if i == 2:
        return node.e2
    return node.more_edges[i - 3] if i < node.inputs else None


cdef int number_of(Node node, int i):
    if i == 0:
        return node.n0
    if i == 1:
        return node.n1
    if i == 2:
        return node.n2
    return node.more_numbers[i - 3]


cdef bint wants(Node node, int i) noexcept:
    if i == 0:
        return node.e0 is not None
    if i == 1:
        return node.e1 is not None
    if i == 2:
        return node.e2 is not None
    return i < node.inputs and node.more_edges[i - 3] is not None


cdef int attach(Tensor y, Node node, int nr=0) except -1:
    y.node = node
    y.output = nr
    y.flags |= REQUIRES_GRAD
    if nr >= node.outputs:
        node.outputs = nr + 1
    return 0


# ---- saved tensors ----

cdef int keep(Node node, int k, Tensor x) except -1:
    if x.flags & INFERENCE:
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors "
            "created in inference mode in computation tracked by autograd. To work "
            "around this, you can make a clone to get a normal tensor and use it in "
            "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.")
    if k == 0:
        node.s0 = x
        node.v0 = x.storage.version
    elif k == 1:
        node.s1 = x
        node.v1 = x.storage.version
    elif k == 2:
        node.s2 = x
        node.v2 = x.storage.version
    else:
        node.s3 = x
        node.v3 = x.storage.version
    return 0


cdef int save(Node node, int k, Tensor x) except -1:
    return keep(node, k, x)


cdef int save_output(Node node, int k, Tensor y) except -1:
    """Save the node's own output, as a twin without history: no reference cycle."""
    cdef Tensor twin = alias(y)
    twin.base = None
    node.saved_output |= 1 << k
    return keep(node, k, twin)


cdef Tensor saved(Node node, int k):
    cdef Tensor x, y
    cdef uint32_t version
    if k == 0:
        x = node.s0
        version = node.v0
    elif k == 1:
        x = node.s1
        version = node.v1
    elif k == 2:
        x = node.s2
        version = node.v2
    else:
        x = node.s3
        version = node.v3
    if x is None:
        raise_released()
    if x.storage.version != version:
        raise_modified(node, x, version)
    if node.saved_output & (1 << k) and tt_grad_mode:
        y = alias(x)
        y.base = None
        y.node = node
        y.output = k if k < node.outputs else 0  # slot k is for output k
        y.flags |= REQUIRES_GRAD
        return y
    return x


cdef int raise_released() except -1:
    raise RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved "
        "tensors after they have already been freed). Saved intermediate values of the "
        "graph are freed when you call .backward() or autograd.grad(). Specify "
        "retain_graph=True if you need to backward through the graph a second time or "
        "if you need to access saved tensors after calling backward.")


cdef int raise_modified(Node node, Tensor x, uint32_t version) except -1:
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an "
        f"inplace operation: [{tensor_type(x)} {list(size_of(x))}]"
        + (f", which is output {x.output} of {op_name(x)}," if
           x.node is not None else ",")
        + f" is at version {x.storage.version}; expected version {version} instead. "
        "Hint: enable anomaly detection to find the operation that failed to compute "
        "its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False).")


cdef dict type_names = {
    "float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor", "int64": "LongTensor", "int32": "IntTensor",
    "int16": "ShortTensor", "int8": "CharTensor", "uint8": "ByteTensor",
    "bool": "BoolTensor"}


cdef str tensor_type(Tensor x):
    place = "torch.cuda." if x.is_cuda else "torch."
    return place + type_names[dtype_of(x.code).name]


cdef void release_saved(Node node) noexcept:
    """Drop what was saved.  A node that saved no tensor can run again,
    as in PyTorch."""
    if type(node) is Node and node.s0 is None and node.s1 is None and node.s2 is None \
            and node.s3 is None and not node.saved_output & RUNS_ONCE:
        return
    node.released = True
    node.s0 = node.s1 = node.s2 = node.s3 = None
    node.context = None


# ---- writing in place ----

cdef str op_name(Tensor x):
    """The op that made x, as PyTorch's messages about views call it."""
    return (<Node>x.node).name().partition("Backward")[0]


cdef int refuse_repeated(Tensor x) except -1:
    """An expanded tensor shows an element several times: it cannot be written."""
    cdef int i
    for i in range(x.rank):
        if x.strides[i] == 0 and x.sizes[i] > 1:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor "
                "refers to a single memory location. Please clone() the tensor before "
                "performing the operation.")
    return 0


cdef int refuse_no_grad_view() except -1:
    raise RuntimeError(
        "A view was created in no_grad mode and is being modified inplace with grad "
        "mode enabled. Given that this use case is ambiguous and error-prone, it is "
        "forbidden. You can clarify your code by moving both the view and the inplace "
        "either both inside the no_grad block (if you don't want the inplace to be "
        "tracked) or both outside (if you want the inplace to be tracked).")


cdef int check_inplace(Tensor x) except -1:
    """Refuse what PyTorch refuses, before anything is written."""
    if not x.flags & CONTIGUOUS:
        refuse_repeated(x)
    return check_history(x)


cdef int check_history(Tensor x) except -1:
    """The same for fills, to which it does not matter if elements coincide."""
    if x.flags & INFERENCE and not tt_inference_mode:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed."
            "You can make a clone to get a normal tensor before doing inplace update."
            "See https://github.com/pytorch/rfcs/pull/17 for more details.")
    if not tt_grad_mode:
        return 0
    if x.flags & REQUIRES_GRAD:
        if x.node is None:
            raise RuntimeError("a leaf Variable that requires grad is being used in an "
                               "in-place operation.")
        if x.base is not None and x.base.flags & REQUIRES_GRAD \
                and x.base.node is None:
            raise RuntimeError("a view of a leaf Variable that requires grad is being "
                               "used in an in-place operation.")
    elif x.base is not None and x.base.flags & REQUIRES_GRAD and is_float(x.code):
        if x.flags & NO_REBASE:
            refuse_no_grad_view()
        x.flags |= REQUIRES_GRAD  # the base got its history after this view was made
        ops.derive_view(x)
    if x.flags & NO_REBASE and x.flags & REQUIRES_GRAD:
        raise RuntimeError(
            f"Output {x.output} of {op_name(x)} is a view and is being "
            "modified inplace. This view is the output of a function that returns "
            "multiple views. Such functions do not allow the output views to be "
            "modified inplace. You should replace the inplace operation by an "
            "out-of-place one.")
    return 0


cdef int rebase(Tensor x, Node node) except -1:
    """Make node the origin of x, which has been written;
    views pass it to their base."""
    if x.base is None:
        if x.flags & RETAINS_GRAD and x.node is not None:
            move_retained(x, node)
        if not x.flags & REQUIRES_GRAD:
            tell_views(x, 1)
        return attach(x, node)
    if x.flags & NO_REBASE:
        refuse_no_grad_view()
    if not x.base.flags & REQUIRES_GRAD:
        tell_views(x.base, 2)
    return ops.rebase_view(x, node)


cdef int tell_views(Tensor base, int known) except -1:
    """Views that were made before their base got its history share it from now on.

    A base does not know its views, since that would make each of them dearer.  They are
    looked for where more tensors hold the storage than the known ones.
    """
    cdef Tensor view
    if base.storage.references <= known:
        return 0
    for found in gc.get_referrers(base):
        if isinstance(found, Tensor) and (<Tensor>found).base is base:
            view = <Tensor>found
            if view.code == base.code:
                view.flags |= REQUIRES_GRAD
    return 0


cdef int move_retained(Tensor x, Node node) except -1:
    """A tensor that keeps its gradient keeps that of its present value."""
    cdef Node old = <Node>x.node
    cdef list entries = old.hooks["retain"]
    old.hooks["retain"] = [e for e in entries if e[1]() is not x]
    node.hooks = {"retain": [(0, weakref.ref(x))]}
    return 0


# ---- gradients on their way ----

cdef Run swap_run(Run run):
    """Make `run` this thread's pass (None: no pass); returns what it was."""
    global tt_current_run
    cdef Run before = None if tt_current_run == NULL else <Run>tt_current_run
    tt_current_run = NULL if run is None else <void*>run  # the caller holds it
    return before


def current_graph_task_id() -> int:
    """Return the number of the pass that this thread is in, -1 outside one."""
    return -1 if tt_current_run == NULL else (<Run>tt_current_run).number


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


cdef int send(Node node, int i, Tensor g) except -1:
    if g is None or not wants(node, i):
        return 0
    if node.fits is not None and i < len(node.fits) and node.fits[i] is not None:
        return send_on(node, i, ops.fit(g, node.fits[i][0], node.fits[i][1]))
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
    if anomaly and check_nan:
        refuse_nan(node, i, g)
    if type(target) is not Node and isinstance(target, Tensor):
        return send_to_leaf(run, <Tensor>target, g)
    receiver = <Node>target
    if receiver.run != run.number:
        return 0  # leads to nothing that was asked for
    if nr != 0:
        before = output_gradient(receiver, nr)
        return set_output_gradient(
            receiver, nr, g if before is None else ops.add(<Tensor>before, g))
    if receiver.g0 is None:
        receiver.g0 = g
        receiver.owns_g0 = False
    elif receiver.owns_g0 and not tt_grad_mode:
        ops.add_into(receiver.g0, g)
    else:
        receiver.g0 = ops.add(receiver.g0, g)
        receiver.owns_g0 = True
    return 0


cdef int send_to_leaf(Run run, Tensor leaf, Tensor g) except -1:
    """Keep or accumulate a gradient that has reached a leaf."""
    cdef list entry
    if run.captured is not None:
        entry = <list>run.captured.get(id(leaf))
        if entry is not None:
            entry[1] = g if entry[1] is None else ops.add(<Tensor>entry[1], g)
        return 0
    if leaf.extra is not None and ("hooks" in leaf.extra or "post_hooks" in leaf.extra):
        if run.leaves is None:
            run.leaves = {}
        entry = <list>run.leaves.setdefault(id(leaf), [leaf, None])
        entry[1] = g if entry[1] is None else ops.add(<Tensor>entry[1], g)
        return 0
    return accumulate(run, leaf, g)


cdef int accumulate(Run run, Tensor leaf, Tensor g) except -1:
    """leaf.grad += g.  A first gradient that nobody else has is taken, not copied."""
    cdef Tensor before = leaf.gradient
    if before is not None:
        if tt_grad_mode:
            leaf.gradient = ops.add(before, g)
        else:
            ops.add_into(before, g)
    elif (not tt_grad_mode and TT_REFCOUNT(g) == 1 and g.storage.references == 1
            and <void*>g != run.incoming and g.base is None
            and is_contiguous(g)):
        leaf.gradient = g
    else:
        leaf.gradient = ops.clone(g)
    return 0


cdef object run_hooks(object table, Tensor g):
    for hook in list(table.values()):
        result = hook(g)
        if result is not None:
            if not isinstance(result, Tensor):
                raise TypeError("expected Variable, but hook returned "
                                f"'{type(result).__name__}'")
            if not same_shape(<Tensor>result, g):
                raise RuntimeError("hook has changed the size of value")
            g = <Tensor>result
    return g


@cython.final
@cython.freelist(8)
cdef class Run:
    """One pass backward."""

    def __init__(self):
        raise TypeError("passes are started by backward()")
