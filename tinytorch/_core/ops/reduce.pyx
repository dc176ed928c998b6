"""Sums and means:  y = sum over the reduced dimensions of x.

Their derivative repeats the gradient along those dimensions (`spread`); the derivative
of that is the sum again, so the two close under differentiation.
"""

from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Backward, Node, attach, gradient_ops, link, needs_grad, new_node, save, save_output,
    send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul_number
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.shape cimport c_reshape, dtype_word
from tinytorch._core.tensor cimport Tensor, empty, empty_beside, over_storage
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport I64, MAX_DIMS, compute_of, is_float, parse_dtype

__all__ = ["sum", "mean"]
METHODS = ["sum", "mean"]

cdef extern from *:
    """
    #include "reductions.h"
    TT_REDUCTIONS(sum) TT_FLOAT_REDUCTIONS(mean)
    """
    int reduce_driver(const KernelCall* call) nogil
    void** sum_reductions
    void** mean_reductions

tt_parallel_for = parallel_for

cdef extern from "Python.h":
    ctypedef struct TupleType "PyTypeObject":
        object (*tp_new)(PyTypeObject* kind, object args, PyObject* kwargs)
    TupleType PyTuple_Type

cdef Kernel* SUM = reduction("sum", sum_reductions)
cdef Kernel* MEAN = reduction("mean", mean_reductions)


# ---- which dimensions ----

cdef int dim_of(object dim, int rank) except -1:
    """One dimension as a number from 0; a 0-d tensor has the dimension 0, too."""
    cdef int most = rank if rank else 1
    cdef int64_t d
    if not PyLong_CheckExact(dim) and (
            isinstance(dim, bool) or not hasattr(dim, "__index__")):
        raise TypeError(f"dim must be int, not {type(dim).__name__}")
    d = dim
    if d < -most or d >= most:
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[{-most}, {most - 1}], but got {d})")
    return d + most if d < 0 else d


cdef uint64_t dims_of(object dim, int rank) except? 0:
    cdef uint64_t dims = 0
    cdef int d
    if dim is None:
        return <uint64_t>ALL_DIMS
    if not isinstance(dim, (tuple, list)):
        return <uint64_t>1 << dim_of(dim, rank)
    if not dim:
        return <uint64_t>ALL_DIMS
    for item in dim:
        d = dim_of(item, rank)
        if dims >> d & 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
        dims |= <uint64_t>1 << d
    return dims


cdef uint64_t dims_from(const int* dim, int n) noexcept nogil:
    cdef uint64_t dims = 0
    cdef int k
    for k in range(n):
        dims |= <uint64_t>1 << dim[k]
    return dims


cdef uint64_t named_dims(object dim, object axis, int rank) except? 0:
    """Of the two names that PyTorch has for the argument, the one that was used."""
    return dims_of(dim if axis is None else axis, rank)


cdef int one_dim(str name, object dim, object axis, Tensor x) except -1:
    if dim is None:
        dim = axis
    if dim is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
    return dim_of(dim, x.rank)


cdef int out_code(Tensor x, object dtype, object out) except -1:
    """The dtype of a sum or product: as asked for, or wide enough."""
    if dtype is not None:
        return parse_dtype(dtype, x.code)
    if isinstance(out, Tensor):
        return (<Tensor>out).code
    return x.code if is_float(x.code) else I64


cdef int match_out(Tensor x, object out) except -1:
    if isinstance(out, Tensor) and (<Tensor>out).code != x.code:
        raise RuntimeError(
            "Expected the dtype for input and out to match, but got "
            f"{dtype_word(x.code)} for input's dtype and "
            f"{dtype_word((<Tensor>out).code)} for out's dtype.")
    return 0


cdef object deliver_pair(type kind, Tensor first, Tensor second, object out):
    """Two results as the named tuple `kind`, in a pair of out= tensors if given."""
    if out is not None:
        first, second = deliver(first, out[0]), deliver(second, out[1])
    return PyTuple_Type.tp_new(<PyTypeObject*>kind, ((first, second),), NULL)


cdef int64_t count_over(Tensor x, uint64_t dims) noexcept nogil:
    cdef int64_t n = 1
    cdef int d
    for d in range(x.rank):
        if dims >> d & 1:
            n *= x.sizes[d]
    return n


# ---- the call ----

cdef Scalar no_scalar
no_scalar.f = 0


cdef Tensor reduced(const Kernel* kernel, Tensor x, uint64_t dims, bint keepdim,
                    int code, int compute, Tensor centre=None, const Scalar* s=NULL,
                    int scalars=0):
    cdef int64_t[MAX_DIMS] kept, strides
    cdef int64_t step = 1
    cdef View[3] v
    cdef Tensor y
    cdef int d, rank = 0
    if dims == <uint64_t>ALL_DIMS and not keepdim:
        y = empty_beside(x, 0, NULL, code)
        for d in range(x.rank):
            kept[d] = strides[d] = 1
    else:
        for d in range(x.rank):
            if not dims >> d & 1:
                kept[rank] = x.sizes[d]
                rank += 1
            elif keepdim:
                kept[rank] = 1
                rank += 1
        y = empty_beside(x, rank, kept, code)
        for d in range(x.rank - 1, -1, -1):
            kept[d] = 1 if dims >> d & 1 else x.sizes[d]
            strides[d] = step
            step *= kept[d]
    view_of(&v[0], y)
    v[0].ndim = x.rank
    v[0].shape = kept
    v[0].strides = strides
    view_of(&v[1], x)
    if centre is not None:
        view_of(&v[2], centre)
    if s == NULL:
        s = &no_scalar
        scalars = 1
    run(kernel, v, 2 if centre is None else 3, 1, s, scalars, compute, x.storage.device)
    return y


cdef Kernel* reduction(const char* name, void** functions) except NULL:
    return register_kernel(name, <Driver>reduce_driver, functions, 0)


cdef Tensor c_reduced(const Kernel* kernel, Backward backward, const char* title,
                      Tensor x, uint64_t dims, bint keepdim, int code,
                      bint keep_input=False, bint keep_output=False):
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x) and is_float(code):
        node = reduce_node(backward, title, x, dims, keepdim)
        if keep_input:
            save(node, 0, x)
    y = reduced(kernel, x, dims, keepdim, code, compute_of[code])
    if node is not None:
        if keep_output:
            save_output(node, 1, y)
        attach(y, node)
    return y


# ---- sum ----

cdef Tensor c_sum(Tensor x, uint64_t dims=<uint64_t>ALL_DIMS, bint keepdim=False,
                  int code=-1):
    cdef Node node = None
    cdef Tensor y
    if code < 0:
        code = x.code if is_float(x.code) else I64
    if needs_grad(x) and is_float(code):
        node = reduce_node(sum_backward, b"SumBackward0" if dims == <uint64_t>ALL_DIMS
                           else b"SumBackward1", x, dims, keepdim)
    y = reduced(SUM, x, dims, keepdim, code, compute_of[code])
    if node is not None:
        attach(y, node)
    return y


cdef int sum_backward(Node node, Tensor gy) except -1:
    """d sum(x) = sum(dx): each element receives gy"""
    return send(node, 0, spread_over(node, gy))


cdef Tensor c_mean(Tensor x, uint64_t dims=<uint64_t>ALL_DIMS, bint keepdim=False,
                   int code=-1):
    cdef Node node = None
    cdef Tensor y
    if code < 0:
        code = x.code
    if not is_float(code):
        raise RuntimeError(
            "mean(): could not infer output dtype. "
            f"{'Input' if code == x.code else 'Optional'} dtype must be either a "
            f"floating point or complex dtype. Got: {dtype_word(code)}")
    if needs_grad(x):
        node = reduce_node(mean_backward, b"MeanBackward0" if dims == <uint64_t>ALL_DIMS
                           else b"MeanBackward1", x, dims, keepdim)
        node.f0 = 1.0 / <double>count_over(x, dims)
    y = reduced(MEAN, x, dims, keepdim, code, compute_of[code])
    if node is not None:
        attach(y, node)
    return y


cdef int mean_backward(Node node, Tensor gy) except -1:
    """d mean(x) = mean(dx): each element receives gy / n"""
    return send(node, 0, spread_over(node, c_mul_number(gy, node.f0)))


# ---- the adjoint ----

cdef Node reduce_node(Backward backward, const char* title, Tensor x, uint64_t dims,
                      bint keepdim):
    """A node that knows x's shape: packed into two words if they suffice."""
    cdef Node node = new_node(backward, title)
    cdef int d
    link(node, 0, x)
    node.i0 = <int64_t>dims
    node.i1 = keepdim | x.code << 1 | x.rank << 8
    node.i2 = node.i3 = 0
    if x.rank > 4 or x.count >= <int64_t>1 << 31:
        node.context = [x.sizes[d] for d in range(x.rank)]
        return node
    for d in range(x.rank):
        if d < 2:
            node.i2 |= x.sizes[d] << 32 * d
        else:
            node.i3 |= x.sizes[d] << 32 * (d - 2)
    return node


cdef int input_shape(Node node, int64_t* shape) except -1:
    """The shape of a reduce_node's input; returns the rank."""
    cdef int d, rank = node.i1 >> 8
    for d in range(rank):
        shape[d] = node.context[d] if node.context is not None else \
            (node.i2 if d < 2 else node.i3) >> 32 * (d & 1) & 0x7fffffff
    return rank


cdef Tensor spread_over(Node node, Tensor gy):
    cdef int64_t[MAX_DIMS] shape
    cdef int d, rank = input_shape(node, shape), code = node.i1 >> 1 & 127
    cdef Tensor g = spread(gy, rank, shape, <uint64_t>node.i0, node.i1 & 1)
    if g.code != code:
        g = gradient_ops.fit(g, code, [shape[d] for d in range(rank)])
    return g


cdef Tensor restored(Node node, Tensor g):
    cdef int64_t[MAX_DIMS] shape
    cdef int d, rank = input_shape(node, shape)
    if node.i1 & 1:
        return g
    for d in range(rank):
        if <uint64_t>node.i0 >> d & 1:
            shape[d] = 1
    return c_reshape(g, rank, shape)


cdef enum:
    SMALL = 4096    # up to here a copy costs less than what strides cost the next op


cdef Tensor spread(Tensor g, int rank, const int64_t* shape, uint64_t dims,
                   bint keepdim):
    cdef int64_t[MAX_DIMS] strides
    cdef Node node = None
    cdef Tensor x, y
    cdef int d, k = 0
    for d in range(rank):
        if dims >> d & 1:
            strides[d] = 0
            k += keepdim
        else:
            strides[d] = g.strides[k]
            k += 1
    if needs_grad(g):
        node = new_node(spread_backward, b"ExpandBackward0")
        node.i0 = <int64_t>dims
        node.i1 = keepdim
        link(node, 0, g)
    # no view of g: nobody may write through it
    y = over_storage(g.storage, rank, shape, strides, g.offset, g.code)
    if y.count <= SMALL:
        x = y
        y = empty(rank, shape, g.code, g.storage.device, g.storage.index)
        copy_into(y, x)
    if node is not None:
        attach(y, node)
    return y


cdef int spread_backward(Node node, Tensor gy) except -1:
    """The derivative of repetition is the sum."""
    return send(node, 0, c_sum(gy, <uint64_t>node.i0, node.i1))


# ---- for Python ----

def sum(Tensor input not None, dim=None, keepdim=False, *, dtype=None, out=None,
        axis=None, keepdims=None):
    """Return the sum of all elements, or along the dimensions `dim`.

    Integers and truth values are summed in int64 unless `dtype` says otherwise.

    Example:
        >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), 0).tolist()
        [4.0, 6.0]
    """
    cdef uint64_t dims = <uint64_t>ALL_DIMS
    cdef Tensor y
    if dim is not None or axis is not None:
        dims = named_dims(dim, axis, input.rank)
    if keepdims is not None:
        keepdim = keepdims
    y = c_sum(input, dims, keepdim, -1 if dtype is None and out is None
              else out_code(input, dtype, out))
    return y if out is None else deliver(y, out)


def mean(Tensor input not None, dim=None, keepdim=False, *, dtype=None, out=None,
         axis=None, keepdims=None):
    """Return the mean of all elements, or along the dimensions `dim`.

    Example:
        >>> mean(tensor([[1.0, 2.0], [3.0, 4.0]]), 0).tolist()
        [2.0, 3.0]
    """
    cdef uint64_t dims = <uint64_t>ALL_DIMS
    cdef Tensor y
    if dim is not None or axis is not None:
        dims = named_dims(dim, axis, input.rank)
    if keepdims is not None:
        keepdim = keepdims
    y = c_mean(input, dims, keepdim, -1 if dtype is None else parse_dtype(dtype, 0))
    return y if out is None else deliver(y, out)
