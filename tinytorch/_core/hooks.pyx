"""Hooks on tensors, and the gradients that non-leaves are asked to retain.

Hooks on nodes are methods of Node (graph.pyx).
"""

from tinytorch._core.graph cimport add_hook, edge_of, hooks_of
from tinytorch._core.tensor cimport REQUIRES_GRAD, RETAINS_GRAD, same_shape

import weakref


def register_tensor_hook(Tensor x not None, hook):
    """Call hook(gradient) when x's gradient is known; it may return another one."""
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require "
                           "gradient")
    node = edge_of(x)
    if isinstance(node, Node):
        return add_hook(hooks_of(<Node>node).setdefault(<int>x.output, {}), hook)
    return add_hook(x._extra.setdefault("hooks", {}), hook)


def register_post_accumulate_hook(Tensor x not None, hook):
    """Call hook(x) after a gradient has been accumulated in the leaf x."""
    if isinstance(edge_of(x), Node):
        raise RuntimeError("post accumulate grad hooks cannot be registered on "
                           "non-leaf tensors")
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require "
                           "gradient")
    return add_hook(x._extra.setdefault("post_hooks", {}), hook)


def retain_grad(Tensor x not None):
    """Keep x's gradient in x.grad although x is not a leaf."""
    if not x.flags & REQUIRES_GRAD:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    node = edge_of(x)
    if not isinstance(node, Node) or x.flags & RETAINS_GRAD:
        return
    x.flags |= RETAINS_GRAD
    retained = hooks_of(<Node>node).setdefault("retain", [])
    retained.append((<int>x.output, weakref.ref(x)))


cdef int move_retained(Tensor x, Node node) except -1:
    """A tensor that keeps its gradient keeps that of its present value."""
    cdef Node old = <Node>x.node
    cdef list entries = old.hooks["retain"]
    old.hooks["retain"] = [e for e in entries if e[1]() is not x]
    node.hooks = {"retain": [(0, weakref.ref(x))]}
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
