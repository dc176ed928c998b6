"""A pass for some inputs only: which nodes lead to them, and what has come to them."""

from tinytorch._core.graph cimport Node, edge, edge_of, gradient_ops
from tinytorch._core.hooks cimport run_hooks
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor


cdef int prepare_captures(Run run, object inputs) except -1:
    cdef Tensor x
    run.captured = {}
    run.captured_nodes = {}
    for x in inputs:
        if not x.flags & REQUIRES_GRAD:
            raise RuntimeError("One of the differentiated Tensors does not require "
                               "grad")
        target = edge_of(x)
        if isinstance(target, Node):
            run.captured_nodes[(id(target), <int>x.output)] = [x, None]
        else:
            run.captured[id(x)] = [x, None]
    return 0


cdef int find_needed(Run run, list roots) except -1:
    """Which nodes lead to a captured tensor: only they are worth running."""
    cdef list todo = [(node, False) for node in roots]
    cdef set seen = set()
    cdef Node node
    cdef int i
    run.needed = set()
    wanted = {key[0] for key in run.captured_nodes}
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
            if target is not None and (id(target) in run.captured
                                       or id(target) in run.needed
                                       or id(target) in wanted):
                run.needed.add(id(node))
                break
    return 0


cdef object collect(Run run, object inputs, bint allow_unused, bint into_grad):
    """The gradients of the captured tensors, in order."""
    cdef list results = []
    cdef Tensor x, g
    for i, x in enumerate(inputs):
        if x.node is None:
            g = run.captured[id(x)][1]
            if g is not None and x.extra is not None and "hooks" in x.extra:
                g = run_hooks(x.extra["hooks"], g)
        else:
            g = run.captured_nodes[(id(edge_of(x)), <int>x.output)][1]
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used "
                "in the graph. Set allow_unused=True if this is the desired behavior.")
        if into_grad:
            if g is not None:
                x.gradient = (gradient_ops.clone(g) if x.gradient is None
                              else gradient_ops.add(x.gradient, g))
        else:
            results.append(g)
    return results
