"""Patches of images as columns (unfold), and the sum of overlapping patches (fold)."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport Node, attach, link, needs_grad, new_node, send
from tinytorch._core.executor cimport (
    Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.shape cimport c_squeeze, c_unsqueeze, contiguous
from tinytorch._core.ops.window cimport (
    launch, packed, read_each, refuse_dtype, sizes_text)
from tinytorch._core.tensor cimport Tensor, empty_beside
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, compute_of, is_float

__all__ = []
METHODS = []
FUNCTIONAL = ["unfold", "fold"]

cdef extern from "patches.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int unfold_driver(const KernelCall* call)
    int fold_driver(const KernelCall* call)

tt_parallel_for = parallel_for
cdef Kernel* UNFOLD = register_kernel("unfold", unfold_driver, NULL)
cdef Kernel* FOLD = register_kernel("fold", fold_driver, NULL)

cdef enum:
    NUMBERS = 13     # kernel, stride, padding, dilation, blocks, plane; then channels


cdef inline int scalars_of(const int64_t* p, Scalar* to) noexcept:
    cdef int i
    for i in range(NUMBERS - 1):
        to[i].i = p[i]
    return NUMBERS - 1


# p: kernel 0, stride 2, padding 4, dilation 6, blocks 8, plane 10 (height, width), and
# the number of channels of the image.

cdef Tensor unfolded(Tensor x, const int64_t* p):
    """(N, C, H, W) -> (N, C kh kw, blocks)"""
    cdef Scalar[NUMBERS] s
    cdef View[2] v
    cdef int64_t[3] sizes
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x):
        node = new_node(unfolded_backward, b"Im2ColBackward0")
        node.context = packed(NUMBERS, p)
        link(node, 0, x)
    sizes[0] = x.sizes[0]
    sizes[1] = p[12] * p[0] * p[1]
    sizes[2] = p[8] * p[9]
    y = empty_beside(x, 3, sizes, x.code)
    x = contiguous(x)
    view_of(&v[0], y)
    view_of(&v[1], x)
    run(UNFOLD, v, 2, 1, s, scalars_of(p, s), compute_of[x.code], x.storage.device)
    if node is not None:
        attach(y, node)
    return y


cdef int unfolded_backward(Node node, Tensor gy) except -1:
    """dx = fold(dy)"""
    send(node, 0, folded(gy, <const int64_t*>PyBytes_AS_STRING(node.context)))
    return 0


cdef Tensor folded(Tensor y, const int64_t* p):
    """(N, C kh kw, blocks) -> (N, C, H, W)"""
    cdef Scalar[NUMBERS] s
    cdef int64_t[4] sizes
    cdef Node node = None
    cdef Tensor x
    if needs_grad(y):
        node = new_node(folded_backward, b"Col2ImBackward0")
        node.context = packed(NUMBERS, p)
        link(node, 0, y)
    sizes[0] = y.sizes[0]
    sizes[1] = p[12]
    sizes[2] = p[10]
    sizes[3] = p[11]
    x = empty_beside(y, 4, sizes, y.code)
    launch(FOLD, x, y, None, None, s, scalars_of(p, s))
    if node is not None:
        attach(x, node)
    return x


cdef int folded_backward(Node node, Tensor gx) except -1:
    """dy = unfold(dx)"""
    send(node, 0, unfolded(gx, <const int64_t*>PyBytes_AS_STRING(node.context)))
    return 0


# ---- arguments ----

cdef int read_pair(object value, int64_t* to, str op, str name) except -1:
    cdef int64_t[8] numbers
    cdef int n = read_each(value, numbers, op, name)
    if n != 2 and isinstance(value, (tuple, list)):
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {n}")
    to[0] = numbers[0]
    to[1] = numbers[1 if n == 2 else 0]
    return 0


cdef str pair(const int64_t* p):
    return f"({p[0]}, {p[1]})"


cdef int check_positive(const int64_t* p, str name, str word, bint zero) except -1:
    if p[0] > 0 and p[1] > 0 or zero and p[0] >= 0 and p[1] >= 0:
        return 0
    demand = "non-negative" if zero else "greater than zero"
    raise RuntimeError(f"{name} should be {demand}, but got {word}_height: {p[0]} "
                       f"{word}_width: {p[1]}")


cdef int read_numbers(int64_t* p, str op, object kernel_size, object dilation,
                      object padding, object stride) except -1:
    read_pair(kernel_size, p, op, "kernel_size")
    read_pair(dilation, p + 6, op, "dilation")
    read_pair(padding, p + 4, op, "padding")
    read_pair(stride, p + 2, op, "stride")
    check_positive(p, "kernel size", "kernel", False)
    check_positive(p + 6, "dilation", "dilation", False)
    check_positive(p + 4, "padding", "pad", True)
    check_positive(p + 2, "stride", "stride", False)
    return 0


cdef int count_blocks(int64_t* p) noexcept:
    cdef int a
    cdef int64_t room
    for a in range(2):
        room = p[10 + a] + 2 * p[4 + a] - p[6 + a] * (p[a] - 1) - 1
        p[8 + a] = room // p[2 + a] - (room % p[2 + a] < 0) + 1
    return 0


cdef int check_dtype(Tensor x, str kernel) except -1:
    if not is_float(x.code) and x.code != BOOL:
        refuse_dtype(kernel, x.code)
    return 0


def unfold(Tensor input not None, kernel_size, dilation=1, padding=0, stride=1):
    """Return the patches of images as columns.

    Args:
        input: of shape (N, channels, height, width), or without N.
    Returns:
        A tensor of shape (N, channels * elements of the kernel, patches).

    Example:
        >>> unfold(tensor([[[1.0, 2.0, 3.0]]]), (1, 2)).tolist()
        [[1.0, 2.0], [2.0, 3.0]]
    """
    cdef int64_t[NUMBERS] p
    cdef Tensor x = input
    cdef int d
    if x.rank < 3:
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[{-max(x.rank, 1)}, {max(x.rank, 1) - 1}], but got "
                         f"{max(x.rank, 1)})")
    read_numbers(p, "unfold", kernel_size, dilation, padding, stride)
    good = x.rank in (3, 4)
    for d in range(x.rank == 4, x.rank):
        good = good and x.sizes[d] > 0
    if not good:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and "
            f"other non-zero dimensions for input, but got: {sizes_text(x)}")
    if x.rank == 3:
        x = c_unsqueeze(x, 0)
    p[10], p[11], p[12] = x.sizes[2], x.sizes[3], x.sizes[1]
    count_blocks(p)
    if p[8] < 1 or p[9] < 1:
        raise RuntimeError(
            f"Given input with spatial size {pair(p + 10)}, kernel_size={pair(p)}, "
            f"dilation={pair(p + 6)}, padding={pair(p + 4)}, calculated shape of the "
            f"array of sliding blocks as {pair(p + 8)}, but its components must be at "
            "least one.")
    check_dtype(x, "im2col_out_cpu")
    x = unfolded(x, p)
    return x if input.rank == 4 else c_squeeze(x, 0)


def fold(Tensor input not None, output_size, kernel_size, dilation=1, padding=0,
         stride=1):
    """Return images as sums of patches that are given as columns.

    Args:
        input: of shape (N, channels * elements of the kernel, patches), or without N.
        output_size: height and width of the images.

    Example:
        >>> fold(tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2)).tolist()
        [[[1.0, 4.0, 3.0]]]
    """
    cdef int64_t[NUMBERS] p
    cdef Tensor y = input
    cdef int d
    read_pair(output_size, p + 10, "fold", "output_size")
    read_numbers(p, "fold", kernel_size, dilation, padding, stride)
    good = y.rank in (2, 3)
    for d in range(y.rank == 3, y.rank):
        good = good and y.sizes[d] > 0
    if not good:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch "
            f"size and non-zero dimensions for input, but got: {sizes_text(y)}")
    if y.rank == 2:
        y = c_unsqueeze(y, 0)
    if y.sizes[1] % (p[0] * p[1]):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of "
            f"kernel_size, but got input.size(1)={y.sizes[1]} and "
            f"kernel_size={pair(p)}.")
    p[12] = y.sizes[1] // (p[0] * p[1])
    count_blocks(p)
    if y.sizes[2] != p[8] * p[9]:
        raise RuntimeError(
            f"Given output_size={pair(p + 10)}, kernel_size={pair(p)}, "
            f"dilation={pair(p + 6)}, padding={pair(p + 4)}, stride={pair(p + 2)}, "
            "expected size of input's dimension 2 to match the calculated number of "
            f"sliding blocks {p[8]} * {p[9]} = {p[8] * p[9]}, but got "
            f"input.size(2)={y.sizes[2]}.")
    if p[8] < 1 or p[9] < 1 or p[10] < 1 or p[11] < 1:
        raise RuntimeError(
            f"Given output_size={pair(p + 10)}, kernel_size={pair(p)}, "
            f"dilation={pair(p + 6)}, padding={pair(p + 4)}, stride={pair(p + 2)}, "
            f"calculated shape of the array of sliding blocks as {pair(p + 8)}, but "
            "its components must be at least one.")
    check_dtype(y, "col2im_out_cpu")
    y = folded(y, p)
    return y if input.rank == 3 else c_squeeze(y, 0)
