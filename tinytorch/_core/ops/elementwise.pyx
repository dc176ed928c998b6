"""Arguments of element-wise ops: what dtype and shape result, and who is written.

Rules of promotion: tensors with dimensions count most, then 0-d tensors, then Python
numbers; a weaker operand changes the dtype only if its category is higher.
"""

from cpython.bool cimport PyBool_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_Check
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, check_inplace, check_write, grad_mode, rebase)
from tinytorch._core.executor cimport (
    OUT_BOOL, Kernel, Scalar, View, copy_into, fill_new, immediate, run, view_of)
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty, empty_as, empty_beside, is_contiguous, same_shape,
    set_sizes, size_of, wrote)
from tinytorch._core.types cimport (
    BOOL, BOOLS, COMPUTE_F32, COMPUTE_F64, F32, F64, FLOATS, I64, INTEGERS, MAX_DIMS,
    category_of, compute_of, get_default_dtype_code, is_float, itemsize, promote)
from tinytorch._core.storage cimport resize

import warnings


# ---- numbers ----

cdef Number number_of_float(double value) noexcept nogil:
    cdef Number n
    n.category = FLOATS
    n.f = value
    n.i = <int64_t>value if -9e18 < value < 9e18 else 0
    return n


cdef Number number_of_int(int64_t value) noexcept nogil:
    cdef Number n
    n.category = INTEGERS
    n.f = <double>value
    n.i = value
    return n


cdef bint as_number(object value, Number* n) except -1:
    """Read a Python (or NumPy) number; False if it is none."""
    cdef int overflow = 0
    if PyFloat_CheckExact(value):
        n[0] = number_of_float(PyFloat_AS_DOUBLE(value))
        return True
    if PyBool_Check(value):
        n[0] = number_of_int(value is True)
        n.category = BOOLS
        return True
    if PyLong_Check(value):
        n[0] = number_of_int(PyLong_AsLongLongAndOverflow(value, &overflow))
        if overflow:
            raise RuntimeError("Overflow when unpacking long")
        return True
    if PyFloat_Check(value):
        n[0] = number_of_float(PyFloat_AS_DOUBLE(value))
        return True
    if isinstance(value, Tensor):
        return False
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not supported")
    if hasattr(value, "dtype") and hasattr(value, "item") and \
            getattr(value, "ndim", 1) == 0:
        return as_number(value.item(), n)
    if hasattr(value, "__len__"):
        return False                    # arrays have __index__ and __float__ as well
    if hasattr(value, "__index__"):
        n[0] = number_of_int(value.__index__())
        return True
    if hasattr(value, "__float__"):
        n[0] = number_of_float(float(value))  # e.g. sympy, fractions
        return True
    return False


# ---- dtypes ----

cdef inline int combine(int stronger, int weaker) noexcept nogil:
    """The dtype of a stronger operand after a weaker one has been taken in."""
    if category_of(weaker) > category_of(stronger):
        return promote(stronger, weaker)
    return stronger


cdef int code_with_number(Tensor a, const Number* n) noexcept nogil:
    if n.category <= category_of(a.code):
        return a.code
    return get_default_dtype_code() if n.category == FLOATS else I64


cdef int code_with_tensor(Tensor a, Tensor b) noexcept nogil:
    if a.code == b.code:
        return a.code
    if (a.rank == 0) == (b.rank == 0):
        return promote(a.code, b.code)
    return combine(b.code, a.code) if a.rank == 0 else combine(a.code, b.code)


cdef inline int apply_rule(int rule, int* common) noexcept nogil:
    """The result's dtype; `common` is then what the operands are computed in."""
    if rule & PROMOTE_FLOAT and not is_float(common[0]):
        common[0] = get_default_dtype_code()
    return BOOL if rule >= TRUTH else common[0]


# ---- shapes ----

cdef int broadcast_with(int ndim, int64_t* shape, Tensor b) except -1:
    """Widen `shape` so that b fits too; returns the number of dimensions."""
    cdef int d, shift
    cdef int64_t n
    if b.rank > ndim:
        shift = b.rank - ndim
        for d in range(ndim - 1, -1, -1):
            shape[d + shift] = shape[d]
        for d in range(shift):
            shape[d] = 1
        ndim = b.rank
    for d in range(b.rank):
        n = shape[ndim - b.rank + d]
        if n == b.sizes[d] or b.sizes[d] == 1:
            continue
        if n != 1:
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b "
                f"({b.sizes[d]}) at non-singleton dimension {ndim - b.rank + d}")
        shape[ndim - b.rank + d] = b.sizes[d]
    return ndim


cdef int broadcast(Tensor a, Tensor b, int64_t* shape) except -1:
    memcpy(shape, a.sizes, a.rank * sizeof(int64_t))
    return broadcast_with(a.rank, shape, b)


cdef int same_device(Tensor a, Tensor b) except -1:
    """0-d CPU tensors go with every device; nothing else mixes."""
    if a.storage.device != b.storage.device and a.rank and b.rank:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {a.device} and {b.device}!")
    return 0


# ---- who is written ----

cdef int check_target(Tensor into, int ndim, const int64_t* shape, int code) except -1:
    """An in-place op neither grows its tensor nor leaves its category."""
    cdef int d
    cdef bint fits = into.rank == ndim
    if fits:
        for d in range(ndim):
            fits = fits and into.sizes[d] == shape[d]
    if not fits:
        raise RuntimeError(
            f"output with shape {list(size_of(into))} doesn't match the broadcast "
            f"shape {[shape[d] for d in range(ndim)]}")
    return check_cast(code, into.code)


cdef int check_cast(int code, int target) except -1:
    if category_of(code) > category_of(target):
        raise RuntimeError(
            f"result type {scalar_type(code)} can't be cast to the desired output type "
            f"{scalar_type(target)}")
    return 0


cdef tuple scalar_types = ("Float", "Double", "Half", "BFloat16", "Long", "Int",
                           "Short",
                           "Char", "Byte", "Bool")


cdef str scalar_type(int code):
    return <str>scalar_types[code]


cdef inline Tensor target_of(Tensor into, Tensor like, int ndim, const int64_t* shape,
                             int code):
    """Where the result goes: a new tensor, or the one that is written in place."""
    if into is None:
        return empty(ndim, shape, code, like.storage.device, like.storage.index)
    check_target(into, ndim, shape, code)
    return into


cdef inline void put_number(View* v, Scalar* slot, const Number* n,
                            int compute) noexcept:
    """Make n an operand of a compute type."""
    cdef float single
    if compute == COMPUTE_F32:
        single = <float>n.f
        memcpy(slot, &single, sizeof(float))
        immediate(v, slot, F32)
    elif compute == COMPUTE_F64:
        slot.f = n.f
        immediate(v, slot, F64)
    else:
        slot.i = n.i
        immediate(v, slot, I64)


cdef Tensor through_copy(const Kernel* kernel, Tensor into, View* v, int operands,
                         const Scalar* s, int scalars, int compute):
    """Truth values for a target that is not a contiguous bool tensor."""
    cdef Tensor y = empty_as(into, BOOL)
    view_of(v, y)
    run(kernel, v, operands, 1, s, scalars, compute, into.storage.device)
    copy_into(into, y)
    return into


cdef inline Tensor finish(const Kernel* kernel, Tensor y, Tensor into, View* v,
                          int operands, const Scalar* s, int scalars, int compute):
    if into is None:
        view_of(v, y)
        run(kernel, v, operands, 1, s, scalars, compute, y.storage.device)
        return y
    if kernel.flags & OUT_BOOL and (into.code != BOOL or not is_contiguous(into)):
        return through_copy(kernel, into, v, operands, s, scalars, compute)
    view_of(v, into)
    if overlaps(into, v, operands):
        y = empty_as(into, into.code)
        view_of(v, y)
        run(kernel, v, operands, 1, s, scalars, compute, y.storage.device)
        copy_into(into, y)
        return into
    run(kernel, v, operands, 1, s, scalars, compute, into.storage.device)
    wrote(into)
    return into


cdef bint overlaps(Tensor into, View* v, int operands):
    """Whether an input shares memory with the target at other positions."""
    cdef int k, d
    cdef bint same
    for k in range(1, operands):
        if v[k].storage != <void*>into.storage:
            continue
        same = v[k].data == v[0].data and v[k].ndim == into.rank
        if same:
            for d in range(into.rank):
                same = same and v[k].shape[d] == into.sizes[d] and (
                    v[k].strides[d] == into.strides[d] or into.sizes[d] == 1)
        if not same:
            return True
    return False


# ---- the three kinds of call ----

cdef Scalar[3] ones      # alpha = 1 by compute type
ones[0].f = ones[1].f = 1
ones[2].i = 1


cdef Tensor unary(const Kernel* kernel, int rule, Tensor x, Tensor into,
                  const Scalar* s=NULL, int scalars=0):
    cdef View[2] v
    cdef int common = x.code
    cdef int code = apply_rule(rule, &common)
    cdef Tensor y = target_of(into, x, x.rank, x.sizes, code)
    view_of(&v[1], x)
    return finish(kernel, y, into, v, 2, s, scalars, compute_of[common])


cdef Tensor binary(const Kernel* kernel, int rule, Tensor a, Tensor b,
                   const Number* number, Tensor into, const Scalar* s=NULL,
                   int scalars=0):
    cdef View[3] v
    cdef Scalar slot
    cdef int64_t[MAX_DIMS] shape
    cdef int common, code, ndim
    cdef Tensor y, like
    if a is not None and b is not None:
        common = code_with_tensor(a, b)
        code = apply_rule(rule, &common)
        view_of(&v[1], a)
        view_of(&v[2], b)
        if same_shape(a, b):
            if a.storage.device != b.storage.device:
                same_device(a, b)
            y = target_of(into, a, a.rank, a.sizes, code)
        else:
            same_device(a, b)
            ndim = broadcast(a, b, shape)
            like = b if a.rank == 0 else a
            y = target_of(into, like, ndim, shape, code)
    else:
        like = b if a is None else a
        common = code_with_number(like, number)
        code = apply_rule(rule, &common)
        put_number(&v[1 if a is None else 2], &slot, number, compute_of[common])
        view_of(&v[2 if a is None else 1], like)
        y = target_of(into, like, like.rank, like.sizes, code)
    if kernel.flags & TAKES_ALPHA:
        if s == NULL:
            s = ones
        s += compute_of[common]
        scalars = 1
    return finish(kernel, y, into, v, 3, s, scalars, compute_of[common])


cdef Tensor ternary(const Kernel* kernel, int rule, Tensor a, Tensor b, Tensor c,
                    Tensor into, const Scalar* s=NULL, int scalars=0):
    cdef View[4] v
    cdef int64_t[MAX_DIMS] shape
    cdef int common, code, ndim
    cdef Tensor y, like = a
    common = result_of_three(a, b, c)
    code = apply_rule(rule, &common)
    same_device(a, b)
    same_device(a, c)
    ndim = broadcast(a, b, shape)
    ndim = broadcast_with(ndim, shape, c)
    if b.rank > like.rank:
        like = b
    if c.rank > like.rank:
        like = c
    y = target_of(into, like, ndim, shape, code)
    view_of(&v[1], a)
    view_of(&v[2], b)
    view_of(&v[3], c)
    return finish(kernel, y, into, v, 4, s, scalars, compute_of[common])


cdef int result_of_three(Tensor a, Tensor b, Tensor c) noexcept:
    cdef int strong = -1, weak = -1
    if a.code == b.code and a.code == c.code:
        return a.code
    weigh(a, &strong, &weak)
    weigh(b, &strong, &weak)
    weigh(c, &strong, &weak)
    if strong < 0:
        return weak
    return strong if weak < 0 else combine(strong, weak)


cdef void weigh(Tensor x, int* strong, int* weak) noexcept:
    """Take x's dtype into that of the operands with dimensions, or of those without."""
    cdef int* rank = strong if x.rank else weak
    rank[0] = x.code if rank[0] < 0 else promote(rank[0], x.code)


# ---- results ----

cdef Tensor as_tensor(object value, Tensor like):
    """A number as a 0-d tensor beside `like`; a tensor stays what it is."""
    cdef Number n
    cdef Tensor y
    if isinstance(value, Tensor):
        return <Tensor>value
    if not as_number(value, &n):
        raise TypeError(f"expected a Tensor or a number, got {type(value).__name__}")
    y = empty_beside(like, 0, NULL, code_with_number(like, &n))
    fill_new(y, n.f, n.i)
    return y


cdef object deliver(Tensor y, object out):
    """The result itself, or `out` filled with it."""
    cdef Tensor target
    if out is None:
        return y
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    target = <Tensor>out
    if grad_mode() and (y.flags | target.flags) & REQUIRES_GRAD:
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad.")
    check_cast(y.code, target.code)
    check_inplace(target)
    if target.storage.device != y.storage.device:
        raise RuntimeError(f"Expected out tensor to have device {y.device}, but got "
                           f"{target.device} instead")
    fit_out(target, y.rank, y.sizes)
    copy_into(target, y)
    return target


cdef int fit_out(Tensor target, int ndim, const int64_t* shape) except -1:
    """Give an out= tensor the result's shape,
    with PyTorch's warning if it had another."""
    cdef int d
    cdef int64_t n = 1
    cdef bint same = target.rank == ndim
    for d in range(ndim):
        n *= shape[d]
        same = same and target.sizes[d] == shape[d]
    if same:
        return 0
    if target.count:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape "
            f"{list(size_of(target))}, which does not match the required output shape "
            f"{[shape[d] for d in range(ndim)]}. This behavior is deprecated, and in a "
            "future PyTorch release outputs will not be resized unless they have zero "
            "elements. You can explicitly reuse an out tensor t by resizing it, "
            "inplace, to zero elements with t.resize_(0).", UserWarning, stacklevel=3)
    if target.offset + n * itemsize[target.code] > target.storage.nbytes:
        resize(target.storage, target.offset + n * itemsize[target.code])
    set_sizes(target, ndim, shape, NULL)
    return 0


cdef Tensor take_result(Tensor x, Tensor y):
    """x[...] = y, where y was computed from x: the in-place form of any op."""
    cdef Node node
    check_write(x, y)
    check_target(x, y.rank, y.sizes, y.code)
    copy_into(x, y)
    if grad_mode() and y.flags & REQUIRES_GRAD:
        node = <Node>y.node
        if y.code == x.code and node is not None:
            rebase(x, node)
    return x
