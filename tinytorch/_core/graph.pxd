"""The graph: nodes, edges between them, and the tensors that they save."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tinytorch._core.modes cimport grad_mode
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor

# Sends the gradient of each input, given that of the (first) output.  Written with ops:
# they record nothing in an ordinary backward and everything under create_graph.
ctypedef int (*Backward)(Node node, Tensor gy) except -1

cdef enum:
    RUNS_ONCE = 0x80              # released by a pass though it saved no tensor

cdef class Node:
    cdef Backward backward
    cdef const char* title        # the name that PyTorch prints: "MulBackward0"
    cdef object e0, e1, e2        # where gradients go: Node, leaf Tensor or None
    cdef list more_edges          # the fourth and later
    cdef int n0, n1, n2           # which output of that node the input was
    cdef list more_numbers
    cdef int inputs, outputs
    cdef Tensor s0, s1, s2, s3    # saved tensors
    cdef uint32_t v0, v1, v2, v3  # their versions when saved
    cdef uint8_t saved_output     # bit k: s<k> is this node's own output; RUNS_ONCE
    cdef uint8_t released
    cdef int64_t i0, i1, i2, i3   # saved numbers
    cdef double f0, f1, f2
    cdef object context           # whatever else backward needs
    cdef list fits                # (dtype, shape) of inputs that were broadcast or cast
    # the state of a pass
    cdef int64_t run              # number of the pass that visits the node; 0: none
    cdef int64_t pending          # gradients still to come
    # g0 is a sum made here, so it may be added to in place
    cdef uint8_t owns_g0
    cdef Tensor g0
    cdef list more_g              # gradients of the second and later outputs
    cdef dict hooks
    cdef object __weakref__
    cdef dict notes

cdef inline bint needs_grad(Tensor x) noexcept nogil:
    return (x.flags & REQUIRES_GRAD) and grad_mode()

cdef inline bint needs_grad2(Tensor a, Tensor b) noexcept nogil:
    return ((a.flags | b.flags) & REQUIRES_GRAD) and grad_mode()

cdef Node new_node(Backward backward, const char* title)
cdef int link(Node node, int i, Tensor x) except -1     # input i of node is x
cdef int link_fitted(Node node, int i, Tensor x, Tensor y) except -1
cdef int attach(Tensor y, Node node, int nr=*) except -1
cdef int save(Node node, int k, Tensor x) except -1     # an input
cdef int save_output(Node node, int k, Tensor y) except -1
cdef Tensor saved(Node node, int k)                     # raises if it was written since
cdef void release_saved(Node node) noexcept

cdef object edge(Node node, int i)
cdef int number_of(Node node, int i)
cdef int set_edge(Node node, int i, object target, int nr) except -1
cdef object edge_of(Tensor x)
cdef str op_name(Node node)
cdef dict hooks_of(Node node)
cdef object add_hook(dict table, object hook)

# What the graph needs from the ops, which lie above it.
cdef struct GradientOps:
    Tensor (*add)(Tensor a, Tensor b)
    int (*add_into)(Tensor y, Tensor x) except -1
    Tensor (*clone)(Tensor x)
    Tensor (*ones_like)(Tensor x)
    Tensor (*fit)(Tensor g, int code, list shape)  # broadcasting's adjoint, and a cast
    int (*rebase_view)(Tensor x, Node node) except -1
    Node (*derive_view)(Tensor x)

cdef GradientOps* gradient_ops
