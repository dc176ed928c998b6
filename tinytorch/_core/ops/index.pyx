"""Basic indexing: integers, slices, None and Ellipsis make a view of the same memory.

A key is first read into a plan, a list of steps with all numbers checked; the plan is
then applied to the tensor.  What else a key may hold is the matter of ops/advanced.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.slice cimport PySlice_Check
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, attach, grad_mode, link, new_node, send
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.assign cimport c_copy_, c_fill_
from tinytorch._core.ops.elementwise cimport Number, as_number
from tinytorch._core.ops.shape cimport (
    c_expand, c_view, dtype_word, viewed, zeros)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, operators, same_shape
from tinytorch._core.types cimport MAX_DIMS, itemsize

from numbers import Integral

cdef extern from "Python.h":
    # (The declaration of Cython's own library takes no const.)
    int PySlice_Unpack(object slice, Py_ssize_t* start, Py_ssize_t* stop,
                       Py_ssize_t* step) except -1
    Py_ssize_t PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t* start,
                                     Py_ssize_t* stop, Py_ssize_t step) noexcept


# ---- plans ----

cdef void clear_plan(Plan* plan) noexcept:
    plan.steps = plan.taken = plan.rank = 0


cdef inline Step* next_step(Plan* plan) except NULL:
    if plan.steps == 2 * MAX_DIMS + 2:
        raise IndexError(f"an index has at most {2 * MAX_DIMS} entries")
    plan.steps += 1
    return &plan.step[plan.steps - 1]


cdef int too_many(Tensor x) except -1:
    raise IndexError(f"too many indices for tensor of dimension {x.rank}")


cdef int plan_whole(Plan* plan, Tensor x, int dims) except -1:
    """The next dims dimensions are kept as they are."""
    cdef Step* step
    cdef int _i
    for _i in range(dims):
        step = next_step(plan)
        step.kind = SLICE
        step.start = 0
        step.stride = 1
        step.size = x.sizes[plan.taken]
        plan.taken += 1
        plan.rank += 1
    return 0


cdef int plan_new(Plan* plan) except -1:
    cdef Step* step = next_step(plan)
    step.kind = NEW
    plan.rank += 1
    return 0


cdef int plan_select(Plan* plan, Tensor x, int64_t i) except -1:
    cdef Step* step
    cdef int64_t n
    if plan.taken >= x.rank:
        too_many(x)
    n = x.sizes[plan.taken]
    if i < -n or i >= n:
        raise IndexError(f"index {i} is out of bounds for dimension {plan.taken} with "
                         f"size {n}")
    step = next_step(plan)
    step.kind = SELECT
    step.start = i + n if i < 0 else i
    plan.taken += 1
    return 0


cdef int plan_slice(Plan* plan, Tensor x, object key) except -1:
    cdef Step* step
    cdef Py_ssize_t start, stop, stride
    if plan.taken >= x.rank:
        too_many(x)
    PySlice_Unpack(key, &start, &stop, &stride)
    if stride <= 0:
        raise ValueError("step must be greater than zero")
    step = next_step(plan)
    step.kind = SLICE
    step.size = PySlice_AdjustIndices(x.sizes[plan.taken], &start, &stop, stride)
    step.start = start
    step.stride = stride
    plan.taken += 1
    plan.rank += 1
    return 0


cdef const char* title_of(Tensor x, const Plan* plan, bint trivial_slices):
    """The node that PyTorch would show: that of the last step which does something."""
    cdef const char* title = b"AliasBackward0"
    cdef const Step* step
    cdef int k, d = 0
    for k in range(plan.steps):
        step = &plan.step[k]
        if step.kind == NEW:
            title = b"UnsqueezeBackward0"
            continue
        if step.kind == SELECT:
            title = b"SelectBackward0"
        elif trivial_slices or step.size != x.sizes[d] or step.stride != 1:
            title = b"SliceBackward0"
        d += 1
    return title


cdef int64_t place(Tensor x, const Plan* plan, int64_t* sizes,
                   int64_t* strides) noexcept:
    """Sizes and strides of the view; returns its offset in elements from x's."""
    cdef int k, d = 0, rank = 0
    cdef int64_t offset = 0
    cdef const Step* step
    for k in range(plan.steps):
        step = &plan.step[k]
        if step.kind == NEW:
            sizes[rank] = 1
            strides[rank] = x.sizes[d] * x.strides[d] if d < x.rank else 1
            rank += 1
            continue
        offset += step.start * x.strides[d]
        if step.kind == SLICE:
            sizes[rank] = step.size
            strides[rank] = step.stride * x.strides[d]
            rank += 1
        d += 1
    for d in range(d, x.rank):
        sizes[rank] = x.sizes[d]
        strides[rank] = x.strides[d]
        rank += 1
    return offset


cdef Tensor apply_plan(Tensor x, const Plan* plan, bint trivial_slices=False):
    cdef int64_t[2 * MAX_DIMS + 2] sizes
    cdef int64_t[2 * MAX_DIMS + 2] strides
    cdef int64_t offset = place(x, plan, sizes, strides)
    cdef int rank = <int>(plan.rank + x.rank - plan.taken)
    cdef Node node = None
    if x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(plan_backward, title_of(x, plan, trivial_slices))
        link(node, 0, x)
        keep_plan(node, x, plan)
    return viewed(x, node, rank, sizes, strides,
                  x.offset + offset * itemsize[x.code])


# ---- gradients ----

cdef int keep_plan(Node node, Tensor x, const Plan* plan) except -1:
    """A plan and the sizes it is for, where the release of a graph leaves them."""
    cdef Py_ssize_t used = sizeof(Plan) - sizeof(plan.step) + plan.steps * sizeof(Step)
    cdef Py_ssize_t whole = used + x.rank * sizeof(int64_t)
    cdef object packed = PyBytes_FromStringAndSize(NULL, whole)
    memcpy(PyBytes_AS_STRING(packed), plan, used)
    memcpy(PyBytes_AS_STRING(packed) + used, x.sizes, x.rank * sizeof(int64_t))
    node.more_numbers = [packed]
    node.i0 = x.rank
    node.i1 = used
    return 0


cdef const Plan* kept_plan(Node node) except NULL:
    """Only as many steps as the plan has are there."""
    return <const Plan*>PyBytes_AS_STRING(node.more_numbers[0])


cdef int plan_backward(Node node, Tensor gy) except -1:
    """dx = 0, but dy where the index points"""
    cdef const Plan* plan = kept_plan(node)
    send(node, 0, embed(gy, <int>node.i0, <const int64_t*>(<const char*>plan + node.i1),
                        plan))
    return 0


cdef Tensor embed(Tensor gy, int rank, const int64_t* shape, const Plan* plan):
    """A tensor of zeros whose part under the plan is gy."""
    cdef int64_t[2 * MAX_DIMS + 2] sizes
    cdef int64_t[2 * MAX_DIMS + 2] strides
    cdef Tensor gx = zeros(rank, shape, gy, gy.code)
    cdef int64_t offset = place(gx, plan, sizes, strides)
    cdef Node node
    cdef Tensor part = viewed(gx, None, <int>(plan.rank + rank - plan.taken), sizes,
                              strides, gx.offset + offset * itemsize[gx.code])
    copy_into(part, gy)
    if gy.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(embed_backward, b"SliceBackwardBackward0")
        link(node, 0, gy)
        keep_plan(node, gx, plan)
        attach(gx, node)
    return gx


cdef int embed_backward(Node node, Tensor gy) except -1:
    """dx = dy under the index"""
    send(node, 0, apply_plan(gy, kept_plan(node)))
    return 0


cdef Tensor c_select(Tensor x, int dim, int64_t i):
    cdef Plan plan
    clear_plan(&plan)
    plan_whole(&plan, x, dim)
    plan_select(&plan, x, i)
    return apply_plan(x, &plan)


cdef Tensor c_slice(Tensor x, int dim, int64_t start, int64_t stride, int64_t size):
    cdef Plan plan
    clear_plan(&plan)
    plan_whole(&plan, x, dim + 1)
    plan.step[dim].start = start
    plan.step[dim].stride = stride
    plan.step[dim].size = size
    return apply_plan(x, &plan, True)


# ---- reading ----

cdef AdvancedGet advanced_get = NULL
cdef AdvancedSet advanced_set = NULL


cdef int register_advanced(AdvancedGet get, AdvancedSet set) noexcept:
    global advanced_get, advanced_set
    advanced_get = get
    advanced_set = set


cdef int refuse_scalar(object key) except -1:
    """A 0-d tensor has no dimension for an integer or a slice."""
    if PySlice_Check(key):
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    if PyLong_CheckExact(key):
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number")
    return 0


cdef bint plan_entry(Plan* plan, Tensor x, object entry) except -1:
    """Take one entry of a key; False if it is nothing basic."""
    cdef int overflow = 0
    cdef int64_t i
    if PyLong_CheckExact(entry):
        i = PyLong_AsLongLongAndOverflow(entry, &overflow)
        if overflow:
            raise ValueError("Overflow when unpacking long long")
        plan_select(plan, x, i)
    elif PySlice_Check(entry):
        plan_slice(plan, x, entry)
    elif entry is None:
        plan_new(plan)
    else:
        return False
    return True


cdef int plan_tuple(Plan* plan, Tensor x, object key) except -1:
    """False if the key holds more than integers, slices, None and one Ellipsis."""
    cdef Py_ssize_t k, j, n = PyTuple_GET_SIZE(key)
    cdef int rest
    cdef object entry
    cdef bint opened = False
    for k in range(n):
        entry = <object>PyTuple_GET_ITEM(key, k)
        if entry is Ellipsis and not opened:
            opened = True
            rest = <int>(x.rank - plan.taken)
            for j in range(k + 1, n):
                entry = <object>PyTuple_GET_ITEM(key, j)
                if PyLong_CheckExact(entry) or PySlice_Check(entry):
                    rest -= 1
                elif entry is not None:
                    return False
            if rest < 0:
                too_many(x)
            plan_whole(plan, x, rest)
        elif not plan_entry(plan, x, entry):
            return False
    return True


cdef object getitem(Tensor x, object key):
    cdef Plan plan
    clear_plan(&plan)
    if PyTuple_CheckExact(key):
        if plan_tuple(&plan, x, key):
            return apply_plan(x, &plan)
    elif key is Ellipsis:
        return apply_plan(x, &plan)
    else:
        if x.rank == 0:
            refuse_scalar(key)
        if plan_entry(&plan, x, key):
            return apply_plan(x, &plan, True)
    return advanced_get(x, key)


# ---- writing ----

cdef int write_into(Tensor y, object value) except -1:
    """y[...] = value, where y is a fresh view."""
    cdef Number n
    cdef Tensor x
    if isinstance(value, Tensor):
        x = <Tensor>value
        c_copy_(y, x if same_shape(x, y) else without_ones(y, x))
    elif isinstance(value, (int, float, Integral)) and as_number(value, &n):
        c_fill_(y, &n)
    else:
        raise TypeError(f"can't assign a {type_name(value)} to a torch."
                        f"{dtype_word(y.code)}Tensor")
    return 0


cdef str type_name(object value):
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{kind.__module__}.{kind.__name__}"


cdef Tensor without_ones(Tensor y, Tensor x):
    """x without its leading dimensions of size 1, expanded to y's shape."""
    cdef int d = 0
    while d < x.rank and x.sizes[d] == 1:
        d += 1
    if d:
        x = c_view(x, x.rank - d, x.sizes + d)
    return c_expand(x, y.rank, y.sizes)


cdef int setitem(Tensor x, object key, object value) except -1:
    cdef Plan plan
    cdef bint basic
    clear_plan(&plan)
    if PyTuple_CheckExact(key):
        basic = plan_tuple(&plan, x, key)
    elif key is Ellipsis:
        basic = True
    else:
        if x.rank == 0:
            refuse_scalar(key)
        basic = plan_entry(&plan, x, key)
    if basic:
        return write_into(apply_plan(x, &plan, True), value)
    return advanced_set(x, key, value)


operators.getitem = getitem
operators.setitem = setitem
