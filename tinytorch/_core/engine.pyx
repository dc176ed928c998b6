"""The pass backward: from the roots to the leaves of a graph.

It runs in the calling thread with dependency counts and an explicit stack, so depth
costs no C stack.  Passes may be started from inside others (hooks, checkpoints).
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from tinytorch._core.captures cimport collect, find_needed, prepare_captures
from tinytorch._core.gradients cimport (
    Run, finish_leaves, output_gradient, report_anomaly, send_intercepted,
    send_to_leaf, set_output_gradient, swap_run)
from tinytorch._core.graph cimport Node, edge_of, gradient_ops, release_saved
from tinytorch._core.hooks cimport run_hooks
from tinytorch._core.modes cimport swap_grad_mode
from tinytorch._core.tensor cimport Tensor, same_shape, size_of
from tinytorch._core.types cimport DTYPES, dtype_of, is_float

METHODS = ["backward"]


# ---- a stack of nodes ----

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


cdef inline Node pop(Stack* stack):
    cdef Node node
    stack.count -= 1
    node = <Node>stack.item[stack.count]
    Py_DECREF(node)
    return node


# Two stacks wait for the next pass, so that a small one allocates nothing.
cdef Stack[2] spare
memset(spare, 0, sizeof(spare))


cdef void take_stack(Stack* stack, int which) noexcept:
    stack[0] = spare[which]
    memset(&spare[which], 0, sizeof(Stack))


cdef void give_stack(Stack* stack, int which) noexcept:
    while stack.count:
        stack.count -= 1
        Py_DECREF(<object>stack.item[stack.count])
    if spare[which].item != NULL or stack.room > 4096:
        free(stack.item)
    else:
        spare[which] = stack[0]


# ---- the walk ----

cdef int64_t run_count = 0


cdef int visit(Run run, Node node, Stack* found) except -1:
    """Make a node part of this pass."""
    if node.run != 0:  # an outer pass is in the middle of this node
        if run.interrupted is None:
            run.interrupted = []
        run.interrupted.append(
            (node, node.run, node.pending, node.g0, node.more_g, node.owns_g0))
    push(found, node)
    node.run = run.number
    node.pending = 0
    node.g0 = None
    node.more_g = None
    node.owns_g0 = False
    return 0


cdef inline int count_edge(Run run, object target, Stack* found, Stack* todo) except -1:
    cdef Node node
    if target is None or type(target) is not Node and isinstance(target, Tensor):
        return 0
    node = <Node>target
    if node.run != run.number:
        visit(run, node, found)
        push(todo, node)
    node.pending += 1
    return 0


cdef int discover(Run run, Stack* found, Stack* todo) except -1:
    """Count for every node that can be reached how many gradients it will receive."""
    cdef Node node
    cdef int i
    while todo.count:
        node = pop(todo)
        count_edge(run, node.e0, found, todo)
        if node.inputs > 1:
            count_edge(run, node.e1, found, todo)
            count_edge(run, node.e2, found, todo)
            for i in range(3, node.inputs):
                count_edge(run, node.more_edges[i - 3], found, todo)
    return 0


cdef inline int settle_edge(object target, Stack* todo) except -1:
    cdef Node node
    if target is None or type(target) is not Node and isinstance(target, Tensor):
        return 0
    node = <Node>target
    node.pending -= 1
    if node.pending == 0:
        push(todo, node)
    return 0


cdef int walk(Run run, Stack* todo, bint keep_graph) except -1:
    """Run the nodes that are ready until none is left."""
    cdef Node node
    cdef int i
    while todo.count:
        node = pop(todo)
        try:
            run_node(run, node)
        except Exception:
            report_anomaly(node)
            raise
        settle_edge(node.e0, todo)
        if node.inputs > 1:
            settle_edge(node.e1, todo)
            settle_edge(node.e2, todo)
            for i in range(3, node.inputs):
                settle_edge(node.more_edges[i - 3], todo)
        if not keep_graph:
            release_saved(node)
    return 0


cdef int run_node(Run run, Node node) except -1:
    cdef Tensor gy
    if node.hooks is not None or run.captured_nodes is not None:
        before_node(run, node)
    if run.needed is not None and id(node) not in run.needed:
        node.g0 = None
        node.more_g = None
        return 0
    gy = node.g0
    node.g0 = None
    if gy is None and node.more_g is None:
        return 0  # no gradient came this way
    run.incoming = <void*>gy
    if node.hooks is not None and node.hooks.get("post"):
        run_with_post_hooks(run, node, gy)
    else:
        node.backward(node, gy)
    node.more_g = None
    return 0


cdef int run_with_post_hooks(Run run, Node node, Tensor gy) except -1:
    cdef int i
    gradients = tuple([gy] + (node.more_g or []))
    run.intercepting = node
    run.intercepted = [None] * node.inputs
    node.backward(node, gy)
    run.intercepting = None
    results = tuple(run.intercepted)
    for hook in list(node.hooks["post"].values()):
        result = hook(results, gradients)
        if result is not None:
            results = result if isinstance(result, tuple) else (result,)
    for i in range(node.inputs):
        send_intercepted(run, node, i, None if results[i] is None
                         else <Tensor?>results[i])
    return 0


cdef int before_node(Run run, Node node) except -1:
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
                (<Tensor>tensor).gradient = gradient_ops.clone(g) if before is None \
                    else gradient_ops.add(<Tensor>before, g)
    if run.captured_nodes is not None:
        for nr in range(node.outputs):
            entry = run.captured_nodes.get((id(node), nr))
            if entry is not None:
                entry[1] = output_gradient(node, nr)
    return 0


cdef int leave(Run run, Stack* found) except -1:
    """Take the nodes out of this pass, whether it ended well or not."""
    cdef Node node
    cdef int64_t i
    for i in range(found.count):
        node = <Node>found.item[i]
        node.run = 0
        node.g0 = None
        node.more_g = None
    if run.interrupted is not None:
        for node, number, pending, g, more, owns in run.interrupted:
            node.run = number
            node.pending = pending
            node.g0 = g
            node.more_g = more
            node.owns_g0 = owns
    return 0


cdef int pass_from(Run run, Node root, int nr, Tensor gradient,
                   bint keep_graph) except -1:
    """A pass from one root: the ordinary case."""
    cdef Stack found, todo
    take_stack(&found, 0)
    take_stack(&todo, 1)
    try:
        visit(run, root, &found)
        push(&todo, root)
        discover(run, &found, &todo)
        set_output_gradient(root, nr, gradient)
        gradient = None
        push(&todo, root)
        walk(run, &todo, keep_graph)
    finally:
        leave(run, &found)
        give_stack(&todo, 1)
        give_stack(&found, 0)
    return 0


cdef int pass_from_all(Run run, list roots, list numbers, list gradients,
                       bint keep_graph) except -1:
    cdef Stack found, todo
    cdef Node node
    cdef Tensor g
    cdef int i
    take_stack(&found, 0)
    take_stack(&todo, 1)
    try:
        for node in roots:
            if node.run != run.number:
                visit(run, node, &found)
                push(&todo, node)
        discover(run, &found, &todo)
        for i in range(len(roots)):
            node = <Node>roots[i]
            g = output_gradient(node, numbers[i])
            set_output_gradient(node, numbers[i], <Tensor>gradients[i] if g is None
                                else gradient_ops.add(g, <Tensor>gradients[i]))
        g = None
        for node in roots:
            if node.pending == 0:
                node.pending = -1  # in the list twice, run once
                push(&todo, node)
        walk(run, &todo, keep_graph)
    finally:
        leave(run, &found)
        give_stack(&todo, 1)
        give_stack(&found, 0)
    return 0


# ---- entry ----

cdef list ones = [None] * DTYPES  # 0-d tensors that hold 1, for scalar losses


cdef Tensor seed(Tensor x, object given):
    """The gradient that a pass starts with at x."""
    cdef Tensor g
    if given is not None:
        if not isinstance(given, Tensor):
            raise TypeError("gradients can be either Tensors or None, but got "
                            f"{type(given).__name__}")
        g = <Tensor>given
        if not same_shape(g, x):
            raise RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {size_of(g)} and "
                f"output[0] has a shape of {size_of(x)}.")
        if g.code != x.code:
            g = gradient_ops.fit(g, x.code, [x.sizes[d] for d in range(x.rank)])
        return g
    if x.count != 1:
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if not is_float(x.code):
        raise RuntimeError("grad can be implicitly created only for real scalar "
                           f"outputs but got {dtype_of(x.code)}")
    if x.rank or x.storage.device:
        return gradient_ops.ones_like(x)
    g = <Tensor>ones[x.code]
    if g is None or g.storage.version != 0:  # a hook may have written to it
        g = gradient_ops.ones_like(x)
        ones[x.code] = g
    return g


cdef Run start(object inputs):
    global run_count
    cdef Run run = Run.__new__(Run)
    run_count += 1
    run.number = run_count
    if inputs is not None:
        prepare_captures(run, inputs)
    return run


cdef int refuse_root(int i) except -1:
    raise RuntimeError(f"element {i} of tensors does not require grad and does not "
                       "have a grad_fn")


def backward(Tensor self not None, gradient=None, retain_graph=None,
             bint create_graph=False, inputs=None):
    """Add the gradients of this tensor to ``.grad`` of the leaves it was made from.

    Args:
        gradient: weight of each element; may be omitted for a single element.
        retain_graph: keep what was saved, for another backward.
        create_graph: record this pass, so that it can be differentiated itself.
        inputs: if given, only these tensors receive a gradient.
    """
    cdef bint keep = create_graph if retain_graph is None else retain_graph
    cdef bint mode
    cdef Run run, outer
    cdef Tensor g
    if inputs is not None:
        inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        run_backward((self,), (gradient,), keep, create_graph, inputs)
        return
    target = edge_of(self)
    if target is None:
        refuse_root(0)
    g = seed(self, gradient)
    run = start(None)
    outer = swap_run(run)
    mode = swap_grad_mode(create_graph)
    try:
        if isinstance(target, Tensor):
            send_to_leaf(run, <Tensor>target, g)
        else:
            pass_from(run, <Node>target, <int>self.output, g, keep)
        if run.leaves is not None:
            finish_leaves(run)
    finally:
        swap_grad_mode(mode)
        swap_run(outer)


def run_backward(tensors, gradients, bint keep_graph, bint create_graph, inputs=None,
                 bint allow_unused=True, bint accumulate_into_grad=True):
    """Differentiate `tensors`, weighted by `gradients`.

    With `inputs` only their gradients are found: returned as a list, or, with
    `accumulate_into_grad`, added to their .grad.
    """
    cdef list roots = [], numbers = [], sent = [], own = []
    cdef Tensor x, g
    cdef bint mode
    cdef Run run, outer
    for i, (x, given) in enumerate(zip(tensors, gradients)):
        target = edge_of(x)
        if target is None:
            refuse_root(i)
        g = seed(x, given)
        if isinstance(target, Tensor):
            own.append((target, g))
        else:
            roots.append(target)
            numbers.append(<int>x.output)
            sent.append(g)
    run = start(inputs)
    outer = swap_run(run)
    mode = swap_grad_mode(create_graph)
    try:
        if run.captured is not None:
            find_needed(run, roots)
        for target, g in own:
            send_to_leaf(run, <Tensor>target, g)
        g = None
        pass_from_all(run, roots, numbers, sent, keep_graph)
        if run.leaves is not None:
            finish_leaves(run)
        if inputs is not None:
            return collect(run, inputs, allow_unused, accumulate_into_grad)
    finally:
        swap_grad_mode(mode)
        swap_run(outer)
    return None
