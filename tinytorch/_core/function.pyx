"""Nodes whose backward is written in Python:
the base of autograd.Function's context."""

from tinytorch._core.autograd cimport (
    Node,
    attach,
    check_inplace,
    link,
    output_gradient,
    rebase,
    send,
    set_edge,
)
from tinytorch._core.tensor cimport NO_REBASE, REQUIRES_GRAD, Tensor, twin

__all__ = ["PythonNode"]


cdef int run_python(Node node, Tensor gy) except -1:
    cdef int i
    cdef tuple gradients = (gy, *[output_gradient(node, i)
                                  for i in range(1, <int>node.outputs)])
    for i, gx in enumerate(node.differentiate(gradients)):
        if gx is not None:
            send(node, i, <Tensor?>gx)
    return 0


cdef class PythonNode(Node):
    """A node that asks its method `differentiate` for the gradients of its inputs.

    A subclass defines `differentiate(gradients)`: it gets one gradient per output, None
    where there is none, and returns one gradient or None per input.  It runs in grad
    mode only under create_graph.
    """

    def __cinit__(self):
        self.backward = run_python
        self.title = b"PythonNode"

    def __init__(self):
        pass

    def name(self):
        """Return the name of the class."""
        return type(self).__name__

    def __repr__(self):
        return f"<{type(self).__name__} object at {hex(id(self))}>"

    @property
    def kept(self):
        """What a backward without retain_graph drops: None from then on."""
        return self.context

    @kept.setter
    def kept(self, value):
        self.context = value

    def connect(self, tuple inputs not None, tuple outputs not None,
                tuple modified not None):
        """Make this the node of `outputs`, computed from `inputs`; return the outputs.

        None stands for what is not differentiable.  `modified` says which outputs are
        inputs that were written in place.  An output that has a history or shares
        memory with one that has comes back as a new tensor.
        """
        cdef Tensor x, y
        cdef int i
        cdef list linked = []
        for i, x in enumerate(inputs):
            if x is None:
                set_edge(self, i, None, 0)
            else:
                link(self, i, x)
        for i, y in enumerate(outputs):
            if y is not None and modified[i]:
                if y.base is not None and i > 0:
                    raise NotImplementedError(
                        "mark_dirty: only the first output may be a view written in "
                        "place")
                check_inplace(y)
                rebase(y, self)
                y.output = i
            elif y is not None:
                if y.base is not None or y.flags & REQUIRES_GRAD or any(
                        [y is x for x in inputs]):
                    y = twin(y)
                    y.flags |= NO_REBASE
                attach(y, self, i)
            linked.append(y)
        self.outputs = len(outputs)
        return tuple(linked)

    def revive(self, Tensor saved not None, int nr):
        """Return output `nr` as a new tensor over what was saved of it."""
        cdef Tensor y = twin(saved)
        attach(y, self, nr)
        return y
