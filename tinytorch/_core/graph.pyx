"""The graph of reverse-mode differentiation: nodes, their edges, what they save.

How gradients travel along the edges is in gradients.pyx, the pass itself in engine.pyx.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject, destructor
from libc.stdint cimport uint32_t
from libc.string cimport memset

from tinytorch._core.modes cimport grad_mode, stack_of_call, tt_anomaly
from tinytorch._core.tensor cimport (
    INFERENCE, INHERITS_GRAD, REQUIRES_GRAD, Tensor, same_shape, size_of, twin)
from tinytorch._core.types cimport dtype_of

import weakref

cdef extern from "freeing.h":
    void tt_free_object(PyObject* x, destructor free_now) noexcept

cdef GradientOps ops
memset(&ops, 0, sizeof(ops))
gradient_ops = &ops


# ---- nodes ----

cdef Node new_node(Backward backward, const char* title):
    cdef Node node = Node.__new__(Node)
    node.backward = backward
    node.title = title
    node.outputs = 1
    if tt_anomaly:
        node.notes = {"traceback_": stack_of_call()}
    return node


@cython.freelist(256)
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
        if self.backward != never_run:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return self.context

    def register_hook(self, hook):
        """Call hook(grad_inputs, grad_outputs) after this node's backward."""
        return add_hook(hooks_of(self).setdefault("post", {}), hook)

    def register_prehook(self, hook):
        """Call hook(grad_outputs) before this node's backward."""
        return add_hook(hooks_of(self).setdefault("pre", {}), hook)


cdef destructor free_now = (<PyTypeObject*>Node).tp_dealloc

cdef void free_node(PyObject* node) noexcept:
    tt_free_object(node, free_now)

(<PyTypeObject*>Node).tp_dealloc = free_node  # long graphs: include/freeing.h


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


cdef object add_hook(dict table, object hook):
    """Put a hook into a table; the handle takes it out again."""
    handle = HookHandle(table)
    table[handle.id] = hook
    return handle


cdef dict hooks_of(Node node):
    """The node's hooks: by output number, or "pre", "post", "retain"."""
    if node.hooks is None:
        node.hooks = {}
    return node.hooks


cdef int never_run(Node node, Tensor gy) except -1:
    return 0


cdef Node accumulator(Tensor leaf):
    """The node that stands for a leaf where somebody looks at the graph."""
    extra = leaf._extra
    cdef Node node = None
    if "accumulator" in extra:
        node = extra["accumulator"]()
    if node is None:
        node = new_node(never_run, b"torch::autograd::AccumulateGrad")
        node.context = leaf
        extra["accumulator"] = weakref.ref(node)
    return node


# ---- edges ----

cdef object edge_of(Tensor x):
    """Where x's gradient goes: its node, x itself if it is a leaf, or None."""
    if not x.flags & REQUIRES_GRAD:
        return None
    if x.base is not None and x.view_version != x.storage.version:
        ops.derive_view(x)
    if x.node is not None:
        return x.node
    return None if x.flags & INHERITS_GRAD else x


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
    node.saved_output |= 1 << k
    return keep(node, k, twin(y))


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
    if node.saved_output & (1 << k) and grad_mode():
        y = twin(x)
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
    edge_of(x)  # of a view whose base was written: the node that it has now
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an "
        f"inplace operation: [{tensor_type(x)} {list(size_of(x))}]"
        + (f", which is output {x.output} of {op_name(x.node)}," if
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


cdef str op_name(Node node):
    """The op of a node, as PyTorch's messages about views call it."""
    return node.name().partition("Backward")[0]


cdef void release_saved(Node node) noexcept:
    """Drop what was saved.  A node that saved no tensor can run again,
    as in PyTorch."""
    if type(node) is Node and node.s0 is None and node.s1 is None and node.s2 is None \
            and node.s3 is None and not node.saved_output & RUNS_ONCE:
        return
    node.released = True
    node.s0 = node.s1 = node.s2 = node.s3 = None
    node.context = None
