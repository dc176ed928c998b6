"""Gradients on their way to the inputs of a node, during a pass backward."""

from libc.stdint cimport int64_t

from tinytorch._core.graph cimport Node
from tinytorch._core.tensor cimport Tensor

cdef class Run:                   # one pass backward, as long as it lasts
    cdef int64_t number
    cdef dict captured            # {id(leaf): [leaf, gradient]} for autograd.grad
    cdef dict captured_nodes      # {(id(node), output number): [tensor, gradient]}
    cdef set needed               # ids of nodes that lead to what is captured
    cdef dict leaves              # gradients of leaves with hooks, until all have come
    cdef void* incoming           # the gradient that the running node was given
    cdef list intercepted         # gradients of a node with post hooks
    cdef Node intercepting
    cdef list interrupted         # what an outer pass had put into shared nodes

cdef inline bint wants(Node node, int i) noexcept:
    """Whether anybody needs the gradient of input i."""
    if i == 0:
        return node.e0 is not None
    if i == 1:
        return node.e1 is not None
    if i == 2:
        return node.e2 is not None
    return i < node.inputs and node.more_edges[i - 3] is not None

cdef int send(Node node, int i, Tensor g) except -1     # adds g to input i's gradient
cdef Tensor output_gradient(Node node, int nr)          # for nodes of several outputs

# ---- for the engine ----
cdef Run swap_run(Run run)
cdef int set_output_gradient(Node node, int nr, Tensor g) except -1
cdef int send_to_leaf(Run run, Tensor leaf, Tensor g) except -1
cdef int send_intercepted(Run run, Node node, int i, Tensor g) except -1
cdef int finish_leaves(Run run) except -1
cdef int report_anomaly(Node node) except -1
