"""Adaptive pooling: so many windows that cover the last 1 to 3 axes, of nearly equal
size.

Window i of n over an axis of `size` elements: floor(i size / n) to ceil((i + 1) size /
n).
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytorch._core.ops.pool cimport Windows, c_max_pool, c_mean_pool, check_pool_rank
from tinytorch._core.ops.window cimport read_each, refuse_dtype, sizes_text
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport is_float

__all__ = ["adaptive_avg_pool1d"]
METHODS = []
FUNCTIONAL = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d_with_indices"]


cdef int read_outputs(Tensor x, object output_size, Windows* w, int64_t* sizes,
                      str op) except -1:
    """The result's shape; None in `output_size` keeps the size of that axis."""
    cdef int64_t[8] numbers
    cdef int n, a, dims = w.dims
    if isinstance(output_size, (tuple, list)):
        output_size = [x.sizes[x.rank - len(output_size) + i] if size is None and
                       len(output_size) <= x.rank else size
                       for i, size in enumerate(output_size)]
    bare = not isinstance(output_size, (tuple, list))
    n = 1 if bare else len(output_size)
    if n != dims and not bare and n != 1:
        if dims == 1:
            raise RuntimeError(
                f"{op}() argument 'output_size' should contain one int (got {n})")
        raise RuntimeError(f"{op}: output_size must be {dims}" if "avg" in op else
                           f"{op}(): internal error: output_size.size() must be {dims}")
    read_each(output_size, numbers, op, "output_size")
    for a in range(x.rank - dims):
        sizes[a] = x.sizes[a]
    for a in range(dims):
        sizes[x.rank - dims + a] = numbers[0 if n == 1 else a]
    return 0


cdef int check_adaptive(Tensor x, int dims, const int64_t* sizes, str op,
                        bint mean) except -1:
    cdef int a, first = x.rank - dims
    cdef str word = "avg" if mean else "max"
    cdef str kernel = f"adaptive_{word}_pool{max(dims, 2)}d"
    for a in range(dims):
        if sizes[first + a] < 0 and mean:
            given = [1] * (dims == 1) + [sizes[first + i] for i in range(dims)]
            text = f"{given[0]}, {given[1]}" if len(given) == 2 else \
                f"{given[0]}, {given[1]},{given[2]}"
            raise RuntimeError(f"{kernel}: elements of output_size must be greater "
                               f"than or equal to 0 but received {{{text}}}")
    for a in range(1 if x.rank == dims + 2 else 0, x.rank):
        if x.sizes[a] == 0:
            where = op if not mean else kernel
            raise RuntimeError(
                f"{where}(): Expected input to have non-zero size for non-batch "
                f"dimensions, but input has sizes {sizes_text(x)} with dimension {a} "
                "being empty")
    for a in range(dims):
        if sizes[first + a] < 0:
            shape = [sizes[i] for i in range(x.rank)]
            if dims == 1:
                shape.insert(x.rank - 1, 1)
            raise RuntimeError(f"Trying to create tensor with negative dimension "
                               f"{sizes[first + a]}: {shape}")
    return 0


cdef object pooled_adaptively(Tensor x, object output_size, int dims, str op, bint mean,
                              bint return_indices):
    cdef Windows w
    cdef int64_t[5] sizes
    memset(&w, 0, sizeof(Windows))
    w.dims = dims
    w.adaptive = True
    if (dims > 1 and isinstance(output_size, (tuple, list))
            and x.rank <= len(output_size)):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    if x.rank not in (dims + 1, dims + 2):
        if dims == 1:
            check_pool_rank(x, 1, op)
        colon = "" if mean else ":"
        raise RuntimeError(f"{op}(): Expected {dims + 1}D or {dims + 2}D tensor, but "
                           f"got{colon} {sizes_text(x)}")
    read_outputs(x, output_size, &w, sizes, op)
    check_adaptive(x, dims, sizes, op, mean)
    if not is_float(x.code):
        refuse_dtype("adaptive_avg_pool3d_cpu" if mean and dims == 3 else
                     f"adaptive_{'avg' if mean else 'max'}_pool{max(dims, 2)}d", x.code)
    if mean:
        return c_mean_pool(x, sizes, &w)
    return c_max_pool(x, sizes, &w, return_indices)


def adaptive_avg_pool1d(Tensor input not None, output_size):
    """Return the means of `output_size` windows that cover the last axis.

    Example:
        >>> adaptive_avg_pool1d(tensor([[1.0, 3.0, 2.0, 4.0]]), 2).tolist()
        [[2.0, 3.0]]
    """
    return pooled_adaptively(input, output_size, 1, "adaptive_avg_pool1d", True, False)


def adaptive_avg_pool2d(Tensor input not None, output_size):
    """Return the means of windows that cover the last two axes.

    Args:
        output_size: how many windows there are along each axis; None: as many as
            elements.
    """
    return pooled_adaptively(input, output_size, 2, "adaptive_avg_pool2d", True, False)


def adaptive_avg_pool3d(Tensor input not None, output_size):
    """Return the means of windows that cover the last three axes."""
    return pooled_adaptively(input, output_size, 3, "adaptive_avg_pool3d", True, False)


def adaptive_max_pool1d(Tensor input not None, output_size, return_indices=False):
    """Return the maxima of `output_size` windows that cover the last axis."""
    return pooled_adaptively(input, output_size, 1, "adaptive_max_pool1d", False,
                             return_indices)


def adaptive_max_pool2d(Tensor input not None, output_size, return_indices=False):
    """Return the maxima of windows that cover the last two axes."""
    return pooled_adaptively(input, output_size, 2, "adaptive_max_pool2d", False,
                             return_indices)


def adaptive_max_pool3d(Tensor input not None, output_size, return_indices=False):
    """Return the maxima of windows that cover the last three axes."""
    return pooled_adaptively(input, output_size, 3, "adaptive_max_pool3d", False,
                             return_indices)


def adaptive_max_pool1d_with_indices(Tensor input not None, output_size,
                                     return_indices=False):
    """Return maxima and their places: see adaptive_max_pool1d."""
    return pooled_adaptively(input, output_size, 1, "adaptive_max_pool1d", False, True)


def adaptive_max_pool2d_with_indices(Tensor input not None, output_size,
                                     return_indices=False):
    """Return maxima and their places: see adaptive_max_pool2d."""
    return pooled_adaptively(input, output_size, 2, "adaptive_max_pool2d", False, True)


def adaptive_max_pool3d_with_indices(Tensor input not None, output_size,
                                     return_indices=False):
    """Return maxima and their places: see adaptive_max_pool3d."""
    return pooled_adaptively(input, output_size, 3, "adaptive_max_pool3d", False, True)
