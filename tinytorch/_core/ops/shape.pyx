"""Views: the same memory under another shape.

A view's node remembers only sizes, packed into the node's numbers.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Backward, Node, attach, check_inplace, grad_mode, link, link_fitted, new_node,
    saved, send)
from tinytorch._core.ops.arguments cimport dtype_word, listed
from tinytorch._core.ops.copies cimport contiguous
from tinytorch._core.tensor cimport (
    INHERITS_GRAD, NO_GRAD_VIEW, NO_REBASE, REQUIRES_GRAD, Tensor, is_contiguous,
    over, set_sizes, size_of, view, wrote)
from tinytorch._core.types cimport MAX_DIMS

# ---- making views ----

cdef Node view_node(Tensor x, Backward backward, const char* title):
    cdef Node node
    if not (x.flags & REQUIRES_GRAD and grad_mode()):
        return None
    node = new_node(backward, title)
    link(node, 0, x)
    return node


cdef Tensor viewed(Tensor x, Node node, int rank, const int64_t* sizes,
                   const int64_t* strides, int64_t offset):
    cdef Tensor y = view(x, rank, sizes, strides, offset)
    # Who writes to a view that no_grad or a node of several outputs made, or to a view
    # of such a view, cannot be given a history.
    if x.base is not None:
        y.flags |= x.flags & (NO_REBASE | NO_GRAD_VIEW)
    if node is not None:
        attach(y, node)
    elif not grad_mode():
        y.flags |= NO_REBASE | NO_GRAD_VIEW
        if y.base.flags & REQUIRES_GRAD and y.base.code == y.code:
            y.flags |= REQUIRES_GRAD | INHERITS_GRAD
    return y


cdef int save_sizes(Node node, int rank, const int64_t* sizes) except -1:
    """Keep a shape in node.v3 (the rank), node.i0..i3 and, rarely, node.context."""
    node.v3 = rank
    if rank > 0:
        node.i0 = sizes[0]
    if rank > 1:
        node.i1 = sizes[1]
    if rank > 2:
        node.i2 = sizes[2]
    if rank > 3:
        node.i3 = sizes[3]
    if rank > 4:
        node.context = listed(rank - 4, sizes + 4)
    return 0


cdef int saved_sizes(Node node, int64_t* sizes) except -1:
    cdef int i
    sizes[0] = node.i0
    sizes[1] = node.i1
    sizes[2] = node.i2
    sizes[3] = node.i3
    if node.v3 > 4 and node.context is None:
        saved(node, 0)  # raises: released
    for i in range(4, <int>node.v3):
        sizes[i] = (<list>node.context)[i - 4]
    return node.v3


# ---- view and reshape ----

cdef int infer_sizes(Tensor x, int rank, const int64_t* asked,
                     int64_t* sizes) except -1:
    """Replace a -1 by what is left; the product must be x's."""
    cdef int i, unknown = -1
    cdef int64_t n = 1
    for i in range(rank):
        sizes[i] = asked[i]
        if asked[i] == -1:
            if unknown >= 0:
                raise RuntimeError("only one dimension can be inferred")
            unknown = i
        elif asked[i] < 0:
            raise RuntimeError(f"invalid shape dimension {asked[i]} at index {i} of "
                               f"shape {listed(rank, asked)}")
        else:
            n *= asked[i]
    if unknown >= 0:
        if n == 0 and x.count == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {listed(rank, asked)} "
                f"because the unspecified dimension size -1 can be any value and is "
                "ambiguous")
        if n > 0 and x.count % n == 0:
            sizes[unknown] = x.count // n
            return 0
    elif n == x.count:
        return 0
    raise RuntimeError(f"shape '{listed(rank, asked)}' is invalid for input of size "
                       f"{x.count}")


cdef bint find_strides(Tensor x, int rank, const int64_t* sizes, int64_t* strides):
    """Strides under which x's memory has these sizes; False: there are none.

    x's dimensions are taken from the right in runs that lie evenly in memory; each run
    must be covered exactly by some of the new dimensions.
    """
    cdef int d = x.rank - 1, k = rank - 1
    cdef int64_t run, covered, step
    if x.count == 0:
        step = 1
        for k in range(rank - 1, -1, -1):
            strides[k] = step
            step *= sizes[k] if sizes[k] > 1 else 1
        return True
    while d >= 0:
        while d >= 0 and x.sizes[d] == 1:
            d -= 1
        if d < 0:
            break
        step = x.strides[d]
        run = x.sizes[d]
        while d > 0 and (x.sizes[d - 1] == 1
                         or x.strides[d - 1] == step * run):
            d -= 1
            run *= x.sizes[d]
        d -= 1
        covered = 1
        while k >= 0 and covered < run:
            strides[k] = step * covered
            covered *= sizes[k]
            k -= 1
        if covered != run:
            return False
    while k >= 0:  # only ones are left
        strides[k] = strides[k + 1] * sizes[k + 1] if k + 1 < rank else 1
        k -= 1
    return True


cdef Tensor try_view(Tensor x, int rank, const int64_t* sizes):
    """A view of x with these sizes, or None."""
    cdef int64_t[MAX_DIMS] strides
    cdef Node node
    if is_contiguous(x):
        contiguous_strides(rank, sizes, strides)
    elif not find_strides(x, rank, sizes, strides):
        return None
    node = view_node(x, view_backward, b"ViewBackward0")
    if node is not None:
        save_sizes(node, x.rank, x.sizes)
    return viewed(x, node, rank, sizes, strides, x.offset)


cdef void contiguous_strides(int rank, const int64_t* sizes, int64_t* strides) noexcept:
    cdef int i
    cdef int64_t step = 1
    for i in range(rank - 1, -1, -1):
        strides[i] = step
        step *= sizes[i] if sizes[i] > 1 else 1


cdef int view_backward(Node node, Tensor gy) except -1:
    """dx = dy in x's shape"""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = saved_sizes(node, sizes)
    send(node, 0, c_reshape(gy, rank, sizes))
    return 0


cdef Tensor c_view(Tensor x, int rank, const int64_t* asked):
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor y
    infer_sizes(x, rank, asked, sizes)
    y = try_view(x, rank, sizes)
    if y is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least "
            "one dimension spans across two contiguous subspaces). Use .reshape(...) "
            "instead.")
    return y


cdef Tensor c_reshape(Tensor x, int rank, const int64_t* asked):
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor y
    cdef Node node = None
    infer_sizes(x, rank, asked, sizes)
    y = try_view(x, rank, sizes)
    if y is not None:
        return y
    if x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(view_backward, b"UnsafeViewBackward0")
        link(node, 0, x)
        save_sizes(node, x.rank, x.sizes)
    x = contiguous(x)
    y = reshaped(x, rank, sizes)
    if node is not None:
        attach(y, node)
    return y


cdef Tensor reshaped(Tensor x, int rank, const int64_t* sizes):
    """A fresh contiguous x under other sizes: nobody else sees x, so it is no view."""
    cdef int64_t[MAX_DIMS] strides
    contiguous_strides(rank, sizes, strides)
    return over(x, rank, sizes, strides, x.offset)


cdef Tensor c_view_as(Tensor x, Tensor like):
    return c_reshape(x, like.rank, like.sizes)


# ---- the order of dimensions ----

cdef Tensor swapped(Tensor x, int a, int b, const char* title):
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef Node node = view_node(x, transpose_backward, title)
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    memcpy(strides, x.strides, x.rank * sizeof(int64_t))
    if x.rank:
        sizes[a], sizes[b] = sizes[b], sizes[a]
        strides[a], strides[b] = strides[b], strides[a]
    if node is not None:
        node.i0 = a
        node.i1 = b
    return viewed(x, node, x.rank, sizes, strides, x.offset)


cdef int transpose_backward(Node node, Tensor gy) except -1:
    """dx = dy with the same two dimensions exchanged"""
    send(node, 0, c_transpose(gy, <int>node.i0, <int>node.i1))
    return 0


cdef Tensor c_transpose(Tensor x, int a, int b):
    return swapped(x, a, b, b"TransposeBackward0")


cdef Tensor c_permute(Tensor x, const int* dims):
    """y's dimension i is x's dims[i]; dims must be a permutation."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t[MAX_DIMS] order
    cdef int i
    cdef Node node = view_node(x, permute_backward, b"PermuteBackward0")
    for i in range(x.rank):
        sizes[i] = x.sizes[dims[i]]
        strides[i] = x.strides[dims[i]]
        order[i] = dims[i]
    if node is not None:
        save_sizes(node, x.rank, order)
    return viewed(x, node, x.rank, sizes, strides, x.offset)


cdef int permute_backward(Node node, Tensor gy) except -1:
    """dx = dy in the opposite permutation"""
    cdef int64_t[MAX_DIMS] order
    cdef int[MAX_DIMS] opposite
    cdef int i, rank = saved_sizes(node, order)
    for i in range(rank):
        opposite[order[i]] = i
    send(node, 0, c_permute(gy, opposite))
    return 0


# ---- expand ----

cdef Tensor c_expand(Tensor x, int rank, const int64_t* asked):
    """Repeat dimensions of size 1, and new ones in front, with stride 0."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int i, d, new = rank - x.rank
    cdef Node node
    cdef Tensor y
    if new < 0:
        raise RuntimeError(
            f"expand(torch.{dtype_word(x.code)}Tensor{{{list(size_of(x))}}}, "
            f"size={listed(rank, asked)}): the number of sizes provided ({rank}) must "
            f"be greater or equal to the number of dimensions in the tensor ({x.rank})")
    for i in range(rank):
        d = i - new
        sizes[i] = asked[i]
        if d < 0:
            if asked[i] < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({asked[i]}) isn't allowed in a "
                    f"leading, non-existing dimension {i}")
            strides[i] = 0 if asked[i] != 1 else (
                x.sizes[0] * x.strides[0] if x.rank else 1)
            continue
        strides[i] = x.strides[d]
        if asked[i] == -1:
            sizes[i] = x.sizes[d]
        elif asked[i] != x.sizes[d]:
            if x.sizes[d] != 1 or asked[i] < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({asked[i]}) must match the "
                    f"existing size ({x.sizes[d]}) at non-singleton dimension {i}.  "
                    f"Target sizes: {listed(rank, asked)}.  "
                    f"Tensor sizes: {list(size_of(x))}")
            strides[i] = 0
    node = None
    if x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(expand_backward, b"ExpandBackward0")
    y = viewed(x, node, rank, sizes, strides, x.offset)
    if node is not None:
        link_fitted(node, 0, x, y)
    return y


cdef int expand_backward(Node node, Tensor gy) except -1:
    """dx = dy summed over the repeated dimensions; sending it does that"""
    send(node, 0, gy)
    return 0


# ---- dimensions of size 1 ----

cdef Tensor without(Tensor x, const int* dims, int n, const char* title):
    """x without those of the dims whose size is 1."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int d, k, rank = 0
    cdef bint dropped
    cdef Node node = view_node(x, view_backward, title)
    for d in range(x.rank):
        dropped = False
        if x.sizes[d] == 1:
            for k in range(n):
                dropped = dropped or dims[k] == d
        if not dropped:
            sizes[rank] = x.sizes[d]
            strides[rank] = x.strides[d]
            rank += 1
    if node is not None:
        save_sizes(node, x.rank, x.sizes)
    return viewed(x, node, rank, sizes, strides, x.offset)


cdef Tensor c_squeeze(Tensor x, int dim):
    return without(x, &dim, 1, b"SqueezeBackward1")


cdef Tensor c_unsqueeze(Tensor x, int dim):
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int64_t[MAX_DIMS + 1] strides
    cdef int i
    cdef Node node = view_node(x, view_backward, b"UnsqueezeBackward0")
    for i in range(x.rank + 1):
        if i < dim:
            sizes[i] = x.sizes[i]
            strides[i] = x.strides[i]
        elif i > dim:
            sizes[i] = x.sizes[i - 1]
            strides[i] = x.strides[i - 1]
    sizes[dim] = 1
    strides[dim] = x.sizes[dim] * x.strides[dim] if dim < x.rank else 1
    if node is not None:
        save_sizes(node, x.rank, x.sizes)
    return viewed(x, node, x.rank + 1, sizes, strides, x.offset)


cdef Tensor c_flatten(Tensor x, int begin, int end):
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int i, rank = 0
    if x.rank == 0:
        sizes[0] = 1
        return c_reshape(x, 1, sizes)
    if begin > end:
        raise RuntimeError(
            "flatten() has invalid args: start_dim cannot come after end_dim")
    if begin == end:
        return x
    for i in range(x.rank):
        if begin < i <= end:
            sizes[rank - 1] *= x.sizes[i]
        else:
            sizes[rank] = x.sizes[i]
            rank += 1
    return c_reshape(x, rank, sizes)


# ---- in place ----

cdef Tensor reshaped_in_place(Tensor self, Tensor y):
    """Let self show what y, a view of self, shows, and have y's history."""
    check_inplace(self)
    set_sizes(self, y.rank, y.sizes, y.strides)
    self.offset = y.offset
    if y.node is not None:
        self.node = y.node
        self.output = y.output
    wrote(self)  # PyTorch counts it as a write
    self.view_version = self.storage.version
    return self
