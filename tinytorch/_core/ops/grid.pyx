"""Sampling images and volumes at the points of a grid."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad2, new_node, output_gradient, save,
    saved, send, wants)
from tinytorch._core.executor cimport (
    Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.ops.elementwise cimport same_device
from tinytorch._core.ops.shape cimport dtype_word, zeros_like
from tinytorch._core.ops.window cimport (
    compute_code, launch, operand, refuse_dtype, sizes_text)
from tinytorch._core.tensor cimport Tensor, empty_as, empty_beside
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport compute_of, is_float

__all__ = ["grid_sampler", "grid_sampler_2d", "grid_sampler_3d"]
METHODS = []
FUNCTIONAL = ["grid_sample"]

cdef extern from "grid_sample.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int grid_sample_driver(const KernelCall* call)
    int grid_sample_backward_driver(const KernelCall* call)
    int grid_sample_double_driver(const KernelCall* call)
    enum: GRID_CUBIC

tt_parallel_for = parallel_for
cdef Kernel* FORWARD = register_kernel("grid_sample", grid_sample_driver, NULL)
cdef Kernel* BACKWARD = register_kernel(
    "grid_sample_backward", grid_sample_backward_driver, NULL)
cdef Kernel* DOUBLE = register_kernel("grid_sample_double", grid_sample_double_driver,
                                      NULL)


cdef Tensor sampled(Tensor x, Tensor grid, int mode, int padding, bint align):
    cdef Scalar[3] s
    cdef int64_t[5] sizes
    cdef int a
    cdef Node node = None
    cdef Tensor y
    if needs_grad2(x, grid):
        node = new_node(sampled_backward, b"GridSampler2DBackward0" if x.rank == 4 else
                        b"GridSampler3DBackward0")
        node.i0, node.i1, node.i2 = mode, padding, align
        link(node, 0, x)
        link(node, 1, grid)
        save(node, 0, x)
        save(node, 1, grid)
    s[0].i, s[1].i, s[2].i = mode, padding, align
    sizes[0] = x.sizes[0]
    sizes[1] = x.sizes[1]
    for a in range(2, x.rank):
        sizes[a] = grid.sizes[a - 1]
    y = empty_beside(x, x.rank, sizes, x.code)
    launch(FORWARD, y, x, grid, None, s, 3)
    if node is not None:
        attach(y, node)
    return y


cdef int sampled_backward(Node node, Tensor gy) except -1:
    """dx[place] += weight dy,  dgrid = sum of d weight/d grid x[place] dy"""
    cdef Scalar[3] s
    cdef View[5] v
    cdef Node again = None
    cdef Tensor x = saved(node, 0)
    cdef Tensor grid = saved(node, 1)
    cdef int code = compute_code(x.code)
    cdef Tensor gx = empty_as(x, code)
    cdef Tensor ggrid = empty_as(grid, code)
    cdef tuple held = (operand(gy, code), operand(x, code), operand(grid, code))
    scalars_of(node, s)
    fill(v, (gx, ggrid) + held)
    run(BACKWARD, v, 5, 2, s, 3, compute_of[code], x.storage.device)
    gx = narrowed(gx, x)
    ggrid = narrowed(ggrid, grid)
    if grad_mode():
        again = new_node(twice_backward,
                         b"GridSampler2DBackwardBackward0" if x.rank == 4
                         else b"GridSampler3DBackwardBackward0")
        again.i0, again.i1, again.i2 = node.i0, node.i1, node.i2
        for k, tensor in enumerate((gy, x, grid)):
            link(again, k, tensor)
            save(again, k, tensor)
        attach(gx, again)
        attach(ggrid, again, 1)
    if wants(node, 0):
        send(node, 0, gx)
    if wants(node, 1):
        send(node, 1, ggrid)
    return 0


cdef int twice_backward(Node node, Tensor v) except -1:
    """With directions v of x and u of grid, s = sum of v dx + u dgrid; its gradients:

    by dy: weight v[place] + (u d weight) x[place];  by x: (u d weight) dy;
    by grid: dy (d weight v[place] + (u d d weight) x[place])
    """
    cdef Scalar[3] s
    cdef View[8] views
    cdef int k
    cdef Tensor u = output_gradient(node, 1)
    cdef Tensor gy = saved(node, 0)
    cdef Tensor x = saved(node, 1)
    cdef Tensor grid = saved(node, 2)
    cdef int code = compute_code(x.code)
    v = zeros_like(x) if v is None else v
    u = zeros_like(grid) if u is None else u
    cdef tuple made = (empty_as(gy, code), empty_as(x, code), empty_as(grid, code))
    cdef tuple held = tuple([operand(t, code) for t in (gy, x, grid, v, u)])
    scalars_of(node, s)
    fill(views, made + held)
    run(DOUBLE, views, 8, 3, s, 3, compute_of[code], x.storage.device)
    for k, like in enumerate((gy, x, grid)):
        if wants(node, k):
            send(node, k, once(narrowed(<Tensor>made[k], <Tensor>like), gy))
    return 0


cdef int scalars_of(Node node, Scalar* s) except -1:
    s[0].i, s[1].i, s[2].i = node.i0, node.i1, node.i2
    return 0


cdef int fill(View* v, tuple tensors) except -1:
    cdef int k
    for k in range(len(tensors)):
        view_of(&v[k], <Tensor>tensors[k])
    return 0


cdef Tensor narrowed(Tensor g, Tensor like):
    cdef Tensor y
    if g.code == like.code:
        return g
    y = empty_as(like, like.code)
    copy_into(y, g)
    return y


cdef Tensor once(Tensor g, Tensor gy):
    """A gradient that has no derivative itself, as in PyTorch."""
    cdef Node node
    if grad_mode():
        node = new_node(no_derivative, b"NotImplemented")
        link(node, 0, gy)
        attach(g, node)
    return g


cdef int no_derivative(Node node, Tensor g) except -1:
    """There is none."""
    raise NotImplementedError("the third derivative of grid_sample is not implemented")


# ---- arguments ----

cdef int check(Tensor x, Tensor grid, int mode) except -1:
    cdef int d
    cdef str wanted = "4D" if x.rank == 4 else "5D" if x.rank == 5 else "4D or 5D"
    same_device(x, grid)
    if x.rank and grid.rank and x.sizes[0] != grid.sizes[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got "
            f"input with sizes {sizes_text(x)} and grid with sizes {sizes_text(grid)}")
    if x.rank not in (4, 5) or x.rank != grid.rank:
        raise RuntimeError(
            f"grid_sampler(): expected {wanted} input and grid with same number of "
            f"dimensions, but got input with sizes {sizes_text(x)} and grid with sizes "
            f"{sizes_text(grid)}")
    if grid.sizes[grid.rank - 1] != x.rank - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {x.rank - 2} in last "
            f"dimension, but got grid with sizes {sizes_text(grid)}")
    for d in range(2, x.rank):
        if x.sizes[d] <= 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, "
                f"but input has sizes {sizes_text(x)} with dimension {d} being empty")
    if mode == GRID_CUBIC and x.rank == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D "
                           "input")
    if x.code != grid.code:
        raise RuntimeError(f"expected scalar type {dtype_word(x.code)} but found "
                           f"{dtype_word(grid.code)}")
    if not is_float(x.code):
        refuse_dtype(f"grid_sampler_{x.rank - 2}d_cpu_kernel_impl", x.code)
    return 0


cdef Tensor sample(Tensor x, Tensor grid, int mode, int padding, bint align):
    check(x, grid, mode)
    return sampled(x, grid, mode, padding, align)


cdef dict modes = {"bilinear": 0, "nearest": 1, "bicubic": 2}
cdef dict paddings = {"zeros": 0, "border": 1, "reflection": 2}


def grid_sample(Tensor input not None, Tensor grid not None, mode="bilinear",
                padding_mode="zeros", align_corners=None):
    """Return what images (or volumes) hold at the points of a grid.

    Args:
        input: of shape (N, channels, [depth,] height, width).
        grid: of shape (N, ..., 2 or 3): coordinates from -1 to 1, that along the width
            first.
        mode: "bilinear", "nearest" or "bicubic".
        padding_mode: what there is outside: "zeros", the "border", or a "reflection".
        align_corners: whether -1 and 1 are the middles of the corner elements, or their
            corners (as unless given).
    """
    if mode not in modes:
        raise ValueError("nn.functional.grid_sample(): expected mode to be 'bilinear', "
                         f"'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in paddings:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', "
            f"'border', or 'reflection', but got: '{padding_mode}'")
    return sample(input, grid, modes[mode], paddings[padding_mode], bool(align_corners))


def grid_sampler(Tensor input not None, Tensor grid not None, int interpolation_mode,
                 int padding_mode, align_corners):
    """Return what images hold at the points of a grid; modes as numbers.

    See tinytorch.nn.functional.grid_sample.
    """
    if interpolation_mode not in (0, 1, 2) or padding_mode not in (0, 1, 2):
        raise ValueError(f"grid_sampler: expected modes 0, 1 or 2, got "
                         f"{interpolation_mode} and {padding_mode}")
    return sample(input, grid, interpolation_mode, padding_mode, bool(align_corners))


grid_sampler_2d = grid_sampler_3d = grid_sampler
