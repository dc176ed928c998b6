"""Reverse-mode differentiation: nodes and the engine that walks them.

The engine runs in the calling thread with dependency counts and an explicit stack, so
depth costs no C stack.  A gradient that arrives first is borrowed; only the second one
makes a sum.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from tinytorch._core.tensor cimport (
    CONTIGUOUS, INFERENCE, NO_REBASE, REQUIRES_GRAD, RETAINS_GRAD, Tensor, alias,
    is_contiguous, same_shape, size_of)
from tinytorch._core.types cimport is_float, dtype_of

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
            f"Error detected in {node.name()}. Traceback of forward call that caused the "
            "error:\n" + "".join(node.notes["traceback_"]), stacklevel=2)
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
        + (f", which is output {x.output} of {(<Node>x.node).name()}," if
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
    return ("torch.cuda." if x.is_cuda else "torch.") + type_names[dtype_of(x.code).name]


cdef void release_saved(Node node) noexcept:
    if node.s0 is not None or node.context is not None:
        node.released = True
    node.s0 = node.s1 = node.s2 = node.s3 = None
    node.context = None


# ---- writing in place ----

cdef int check_inplace(Tensor x) except -1:
    """Refuse what PyTorch refuses, before anything is written."""
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
    elif x.base is not None and x.base.flags & REQUIRES_GRAD and x.flags & NO_REBASE:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad "
            "mode enabled. Given that this use case is ambiguous and error-prone, it is "
            "forbidden. You can clarify your code by moving both the view and the "
            "inplace either both inside the no_grad block (if you don't want the "
            "inplace to be tracked) or both outside (if you want the inplace to be "
            "tracked).")
    if x.flags & NO_REBASE and x.flags & REQUIRES_GRAD:
        raise RuntimeError(
            f"Output {x.output} of {(<Node>x.node).name()} is a view and is being "
            "modified inplace. This view is the output of a function that returns "
            "multiple views. Such functions do not allow the output views to be "
            "modified inplace. You should replace the inplace operation by an "
            "out-of-place one.")
    return 0


cdef int rebase(Tensor x, Node node) except -1:
    """Make node the origin of x, which has been written; views pass it to their base."""
    if x.base is not None and not x.flags & NO_REBASE:
        return ops.rebase_view(x, node)
    return attach(x, node)


# ---- the pass backward ----

cdef struct Stack:
    PyObject** item  # held
    int64_t count, room


cdef int push(Stack* stack, Node node) except -1:
    cdef PyObject** grown
    if stack.count == stack.room:
        grown = <PyObject**>realloc(
            stack.item, (2 * stack.room + 64) * sizeof(PyObject*))
        if grown == NULL:
            raise MemoryError()
        stack.item = grown
        stack.room = 2 * stack.room + 64
    Py_INCREF(node)
    stack.item[stack.count] = <PyObject*>node
    stack.count += 1
    return 0


cdef Node pop(Stack* stack):
    cdef Node node
    stack.count -= 1
    node = <Node>stack.item[stack.count]
    Py_DECREF(node)
    return node


cdef void clear(Stack* stack) noexcept:
    while stack.count:
        stack.count -= 1
        Py_DECREF(<object>stack.item[stack.count])
    free(stack.item)
    stack.item = NULL
    stack.room = 0


@cython.final
cdef class Run:
    """One pass backward."""

    cdef int64_t number
    cdef Run outer               # the pass from inside which this one was started
    cdef bint create_graph
    cdef dict captured           # {id(leaf): [leaf, gradient]} for autograd.grad
    cdef dict captured_nodes     # {(id(node), output number): [tensor, gradient]}
    cdef set needed              # ids of nodes that lead to what is captured
    cdef dict leaves             # gradients of leaves with hooks, until all have come
    cdef PyObject* incoming      # the gradient that the running node was given
    cdef list intercepted        # gradients of a node with post hooks
    cdef Node intercepting
    cdef list interrupted        # what an outer pass had put into shared nodes


cdef int64_t run_count = 0


cdef inline Run this_run():
    """The pass that this thread is in.  run_backward's own variable holds it."""
    return <Run>tt_current_run


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
        g = ops.fit(g, node.fits[i][0], node.fits[i][1])
    if this_run().intercepting is node:
        this_run().intercepted[i] = g
        return 0
    return forward_gradient(node, i, g)


cdef int forward_gradient(Node node, int i, Tensor g) except -1:
    """Add g to what the receiver of input i's gradient has so far."""
    cdef object target = edge(node, i)
    cdef Node next_node
    cdef int nr
    if target is None or g is None:
        return 0
    if anomaly and check_nan:
        refuse_nan(node, i, g)
    if type(target) is not Node and isinstance(target, Tensor):
        return send_to_leaf(<Tensor>target, g)
    next_node = <Node>target
    if next_node.run != this_run().number:
        return 0  # leads to nothing that was asked for
    nr = number_of(node, i)
    if nr != 0:
        before = output_gradient(next_node, nr)
        return set_output_gradient(
            next_node, nr, g if before is None else ops.add(<Tensor>before, g))
    if next_node.g0 is None:
        next_node.g0 = g
        next_node.owns_g0 = False
    elif next_node.owns_g0 and not tt_grad_mode:
        ops.add_into(next_node.g0, g)
    else:
        next_node.g0 = ops.add(next_node.g0, g)
        next_node.owns_g0 = True
    return 0


cdef int send_to_leaf(Tensor leaf, Tensor g) except -1:
    cdef list entry
    if this_run().captured is not None:
        entry = <list>this_run().captured.get(id(leaf))
        if entry is not None:
            entry[1] = g if entry[1] is None else ops.add(<Tensor>entry[1], g)
        return 0
    if leaf.extra is not None and ("hooks" in leaf.extra or "post_hooks" in leaf.extra):
        if this_run().leaves is None:
            this_run().leaves = {}
        entry = <list>this_run().leaves.setdefault(id(leaf), [leaf, None])
        entry[1] = g if entry[1] is None else ops.add(<Tensor>entry[1], g)
        return 0
    return accumulate(leaf, g)


cdef int accumulate(Tensor leaf, Tensor g) except -1:
    """leaf.grad += g.  A first gradient that nobody else has is taken, not copied."""
    cdef Tensor before = leaf.gradient
    if before is not None:
        if tt_grad_mode:
            leaf.gradient = ops.add(before, g)
        else:
            ops.add_into(before, g)
    elif (not tt_grad_mode and TT_REFCOUNT(g) == 1 and g.storage.references == 1
            and <PyObject*>g != this_run().incoming and g.base is None
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


cdef int before_node(Node node) except -1:
    """Hooks on the node's outputs, captures, and gradients to be retained."""
    cdef Tensor g
    cdef int nr
    if node.hooks is not None:
        for nr in range(node.outputs):
            g = output_gradient(node, nr)
            if g is not None and nr in node.hooks:
                set_output_gradient(node, nr, run_hooks(node.hooks[nr], g))
                node.owns_g0 = False
        if "pre" in node.hooks:
            gradients = tuple([output_gradient(node, k) for k in range(node.outputs)])
            for hook in list(node.hooks["pre"].values()):
                result = hook(gradients)
                if result is not None:
                    gradients = result if isinstance(result, tuple) else (result,)
            for k, g in enumerate(gradients):
                set_output_gradient(node, k, g)
        for k, reference in node.hooks.get("retain", ()):
            tensor = reference()
            g = output_gradient(node, k)
            if tensor is not None and g is not None:
                before = (<Tensor>tensor).gradient
                (<Tensor>tensor).gradient = ops.clone(g) if before is None \
                    else ops.add(<Tensor>before, g)
    if this_run().captured_nodes is not None:
        for nr in range(node.outputs):
            entry = this_run().captured_nodes.get((id(node), nr))
            if entry is not None:
                entry[1] = output_gradient(node, nr)
    return 0


cdef int run_node(Node node) except -1:
    cdef Tensor gy
    cdef int i
    if node.hooks is not None or this_run().captured_nodes is not None:
        before_node(node)
    if this_run().needed is not None and id(node) not in this_run().needed:
        node.g0 = None
        node.more_g = None
        return 0
    gy = node.g0
    node.g0 = None
    if gy is None and node.more_g is None:
        return 0  # no gradient came this way
    this_run().incoming = <PyObject*>gy
    if node.hooks is not None and node.hooks.get("post"):
        gradients = tuple([gy] + (node.more_g or []))
        this_run().intercepting = node
        this_run().intercepted = [None] * node.inputs
        node.backward(node, gy)
        this_run().intercepting = None
        results = tuple(this_run().intercepted)
        for hook in list(node.hooks["post"].values()):
            result = hook(results, gradients)
            if result is not None:
                results = result if isinstance(result, tuple) else (result,)
        for i in range(node.inputs):
            forward_gradient(node, i, <Tensor?>results[i])
    else:
        node.backward(node, gy)
    node.more_g = None
    return 0


cdef int discover(Stack* found, Stack* todo) except -1:
    """Count for every node that can be reached how many gradients it will receive."""
    cdef Node node, target
    cdef int i
    cdef object next_edge
    while todo.count:
        node = pop(todo)
        for i in range(node.inputs):
            next_edge = edge(node, i)
            if next_edge is None or isinstance(next_edge, Tensor):
                continue
            target = <Node>next_edge
            if target.run != this_run().number:
                visit(target, found)
                push(todo, target)
            target.pending += 1
    return 0


cdef int visit(Node node, Stack* found) except -1:
    if node.run != 0:  # an outer pass is in the middle of this node
        if this_run().interrupted is None:
            this_run().interrupted = []
        this_run().interrupted.append(
            (node, node.run, node.pending, node.g0, node.more_g, node.owns_g0))
    push(found, node)
    node.run = this_run().number
    node.pending = 0
    node.g0 = None
    node.more_g = None
    node.owns_g0 = False
    return 0


cdef int find_needed(list roots) except -1:
    """Which nodes lead to a captured tensor: only they are worth running."""
    cdef list todo = [(node, False) for node in roots]
    cdef set seen = set()
    cdef Node node
    cdef int i
    this_run().needed = set()
    wanted = {key[0] for key in this_run().captured_nodes}
    while todo:
        node, expanded = todo.pop()
        if not expanded:
            if id(node) in seen:
                continue
            seen.add(id(node))
            todo.append((node, True))
            for i in range(node.inputs):
                target = edge(node, i)
                if target is not None and not isinstance(target, Tensor):
                    todo.append((target, False))
            continue
        for i in range(node.inputs):
            target = edge(node, i)
            if target is not None and (
                    id(target) in this_run().captured
                    or id(target) in this_run().needed
                    or id(target) in wanted):
                this_run().needed.add(id(node))
                break
    return 0


cdef int backward_pass(list roots, list numbers, list gradients, bint keep_graph) except -1:
    """Send the gradients from the roots to the leaves."""
    cdef Stack found, todo
    cdef Node node, target
    cdef Tensor g
    cdef int i
    cdef object next_edge
    memset(&found, 0, sizeof(found))
    memset(&todo, 0, sizeof(todo))
    try:
        for node in roots:
            if node.run != this_run().number:
                visit(node, &found)
                push(&todo, node)
        discover(&found, &todo)
        for i in range(len(roots)):
            node = <Node>roots[i]
            g = output_gradient(node, numbers[i])
            set_output_gradient(node, numbers[i], <Tensor>gradients[i] if g is None
                                else ops.add(g, <Tensor>gradients[i]))
        g = None
        for node in roots:
            if node.pending == 0 and node.run == this_run().number:
                node.pending = -1
                push(&todo, node)
        while todo.count:
            node = pop(&todo)
            try:
                run_node(node)
            except Exception:
                report_anomaly(node)
                raise
            for i in range(node.inputs):
                next_edge = edge(node, i)
                if next_edge is None or isinstance(next_edge, Tensor):
                    continue
                target = <Node>next_edge
                target.pending -= 1
                if target.pending == 0:
                    push(&todo, target)
            if not keep_graph:
                release_saved(node)
    finally:
        clear(&todo)
        for i in range(found.count):
            node = <Node>found.item[i]
            node.run = 0
            node.g0 = None
            node.more_g = None
        node = None
        clear(&found)
        if this_run().interrupted is not None:
            for node, run, pending, g, more, owns in this_run().interrupted:
                node.run = run
                node.pending = pending
                node.g0 = g
                node.more_g = more
                node.owns_g0 = owns
    return 0


cdef int finish_leaves() except -1:
    """Leaves with hooks: run them on the whole gradient, then accumulate."""
    cdef Tensor leaf, g
    for leaf, g in this_run().leaves.values():
        if "hooks" in leaf.extra:
            g = run_hooks(leaf.extra["hooks"], g)
        accumulate(leaf, g)
        for hook in list(leaf.extra.get("post_hooks", {}).values()):
            hook(leaf)
    return 0


def run_backward(tensors, gradients, bint keep_graph, bint create_graph, inputs=None,
                 bint allow_unused=True, bint accumulate_into_grad=True):
    """Differentiate `tensors`, weighted by `gradients`.

    With `inputs` only their gradients are found: returned as a list, or, with
    `accumulate_into_grad`, added to their .grad.
    """
    global run_count, tt_current_run
    cdef list roots = [], numbers = [], sent = [], own = []
    cdef Tensor x, g
    cdef Run run = Run.__new__(Run)
    cdef bint mode = tt_grad_mode
    for i, (x, given) in enumerate(zip(tensors, gradients)):
        if not x.flags & REQUIRES_GRAD:
            raise RuntimeError(f"element {i} of tensors does not require grad and does "
                               "not have a grad_fn")
        g = check_root_gradient(x, given)
        target = edge_of(x)
        if isinstance(target, Tensor):
            own.append((target, g))
        else:
            roots.append(target)
            numbers.append(<int>x.output)
            sent.append(g)
    run_count += 1
    run.number = run_count
    run.outer = None if tt_current_run == NULL else this_run()
    run.create_graph = create_graph
    if inputs is not None:
        prepare_captures(run, inputs)
    tt_current_run = <void*>run
    swap_grad_mode(create_graph)
    try:
        if run.captured is not None:
            find_needed(roots)
        for target, g in own:
            send_to_leaf(<Tensor>target, g)
        g = None
        backward_pass(roots, numbers, sent, keep_graph)
        if run.leaves is not None:
            finish_leaves()
        if inputs is not None:
            return collect(run, inputs, allow_unused, accumulate_into_grad)
    finally:
        swap_grad_mode(mode)
        tt_current_run = NULL if run.outer is None else <void*>run.outer
    return None


cdef int prepare_captures(Run run, object inputs) except -1:
    cdef Tensor x
    run.captured = {}
    run.captured_nodes = {}
    for x in inputs:
        if not x.flags & REQUIRES_GRAD:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        if x.node is None:
            run.captured[id(x)] = [x, None]
        else:
            run.captured_nodes[(id(edge_of(x)), <int>x.output)] = [x, None]
    return 0


cdef object collect(Run run, object inputs, bint allow_unused, bint accumulate_into_grad):
    cdef list results = []
    cdef Tensor x, g
    for x in inputs:
        if x.node is None:
            g = run.captured[id(x)][1]
            if g is not None and x.extra is not None and "hooks" in x.extra:
                g = run_hooks(x.extra["hooks"], g)
        else:
            g = run.captured_nodes[(id(edge_of(x)), <int>x.output)][1]
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {len(results)} appears to not have "
                "been used in the graph. Set allow_unused=True if this is the desired "
                "behavior.")
        if accumulate_into_grad:
            if g is not None:
                x.gradient = ops.clone(g) if x.gradient is None else ops.add(x.gradient, g)
        else:
            results.append(g)
    return results


cdef Tensor check_root_gradient(Tensor x, object given):
    cdef Tensor g
    if given is None:
        if x.count != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if not is_float(x.code):
            raise RuntimeError(
                "grad can be implicitly created only for real scalar outputs but got "
                f"{dtype_of(x.code)}")
        return ops.ones_like(x)
    if not isinstance(given, Tensor):
        raise TypeError("gradients can be either Tensors or None, but got "
                        f"{type(given).__name__}")
    g = <Tensor>given
    if not same_shape(g, x):
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {size_of(g)} and "
            f"output[0] has a shape of {size_of(x)}.")
    return g


def current_graph_task_id() -> int:
    """Return the number of the pass that this thread is in, -1 outside one."""
    return -1 if tt_current_run == NULL else this_run().number

