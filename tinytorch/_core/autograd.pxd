"""The graph: nodes, edges, what they save, and the pass backward through them."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

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

cdef bint grad_mode() noexcept nogil
cdef bint inference_mode() noexcept nogil
cdef bint swap_grad_mode(bint on) noexcept nogil  # returns what it was

cdef Node new_node(Backward backward, const char* title)
cdef int link(Node node, int i, Tensor x) except -1     # input i of node is x
cdef int link_fitted(Node node, int i, Tensor x, Tensor y) except -1
cdef int attach(Tensor y, Node node, int nr=*) except -1
cdef int save(Node node, int k, Tensor x) except -1     # an input
cdef int save_output(Node node, int k, Tensor y) except -1
cdef Tensor saved(Node node, int k)                     # raises if it was written since
cdef int send(Node node, int i, Tensor g) except -1     # adds g to input i's gradient
cdef bint wants(Node node, int i) noexcept              # whether anybody needs it
cdef object edge(Node node, int i)
cdef int set_edge(Node node, int i, object target, int nr) except -1
cdef Tensor output_gradient(Node node, int nr)          # for nodes of several outputs
cdef object edge_of(Tensor x)

cdef inline bint needs_grad(Tensor x) noexcept nogil:
    return (x.flags & REQUIRES_GRAD) and grad_mode()

cdef inline bint needs_grad2(Tensor a, Tensor b) noexcept nogil:
    return ((a.flags | b.flags) & REQUIRES_GRAD) and grad_mode()

# In-place ops: check before writing, then hang the node into x's history.
cdef int check_inplace(Tensor x) except -1
cdef int check_history(Tensor x) except -1   # for fills: elements may coincide
cdef int rebase(Tensor x, Node node) except -1

# What the engine needs from the ops, which lie above it.
cdef struct GradientOps:
    Tensor (*add)(Tensor a, Tensor b)
    int (*add_into)(Tensor y, Tensor x) except -1
    Tensor (*clone)(Tensor x)
    Tensor (*ones_like)(Tensor x)
    Tensor (*fit)(Tensor g, int code, list shape)  # broadcasting's adjoint, and a cast
    int (*rebase_view)(Tensor x, Node node) except -1
    Node (*derive_view)(Tensor x)

cdef GradientOps* gradient_ops

# ---- for the engine ----
cdef Run swap_run(Run run)
cdef int set_output_gradient(Node node, int nr, Tensor g) except -1
cdef int send_to_leaf(Run run, Tensor leaf, Tensor g) except -1
cdef int send_intercepted(Run run, Node node, int i, Tensor g) except -1
cdef int accumulate(Run run, Tensor leaf, Tensor g) except -1
cdef object run_hooks(object table, Tensor g)
cdef void release_saved(Node node) noexcept
cdef int report_anomaly(Node node) except -1
