"""New tensors of random numbers: rand, randn, randint, randperm, normal."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, link_fitted, needs_grad, new_node, send)
from tinytorch._core.ops.arithmetic cimport add_into
from tinytorch._core.ops.assign cimport forget
from tinytorch._core.ops.creation cimport factory_sizes, finish, make, make_like
from tinytorch._core.ops.elementwise cimport broadcast, deliver
from tinytorch._core.ops.random cimport (
    check_normal, check_uniform, counts_to, draw, draw_integers, integers_into,
    read_float)
from tinytorch._core.ops.shape cimport read_int, zeros_like
from tinytorch._core.rng cimport DRAW_NORMAL, DRAW_PERMUTATION, DRAW_UNIFORM
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, empty_like
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, MAX_DIMS, U8,
    get_default_dtype_code, is_float)

__all__ = ["rand", "randn", "randint", "randperm", "rand_like", "randn_like",
           "randint_like", "normal"]


cdef Tensor blank(str name, tuple args, object size, object out, object dtype,
                  object layout, object device, object pin_memory, int code):
    """The tensor to fill: a new one, or out= in the result's shape."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = factory_sizes(name, args, size, sizes)
    if out is not None:
        if dtype is not None and dtype != (<Tensor?>out).dtype:
            raise RuntimeError(
                f"dtype {dtype} does not match dtype of out parameter ({out.dtype})")
        dtype = (<Tensor>out).dtype
    return <Tensor>deliver(make(rank, sizes, dtype, device, layout, pin_memory, code),
                           out)


def rand(*args, size=None, generator=None, out=None, dtype=None, layout=None,
         device=None, pin_memory=False, requires_grad=False):
    """Return numbers evenly distributed over [0, 1).

    Example:
        >>> rand(2, 3).shape
        torch.Size([2, 3])
    """
    cdef Tensor y = blank("rand", args, size, out, dtype, layout, device, pin_memory,
                          get_default_dtype_code())
    check_uniform(y, 0, 1)
    draw(y, DRAW_UNIFORM, 0, 1, generator)
    return finish(y, requires_grad)


def randn(*args, size=None, generator=None, out=None, dtype=None, layout=None,
          device=None, pin_memory=False, requires_grad=False):
    """Return normally distributed numbers of mean 0 and variance 1."""
    cdef Tensor y = blank("randn", args, size, out, dtype, layout, device, pin_memory,
                          get_default_dtype_code())
    check_normal(y, 1)
    draw(y, DRAW_NORMAL, 0, 1, generator)
    return finish(y, requires_grad)


cdef int64_t whole(object value, str op, str name) except? -1:
    if isinstance(value, Tensor):
        value = (<Tensor>value).item()
    value = read_any(value, op, name)
    if not -1 << 63 <= value < 1 << 63:
        raise ValueError("Overflow when unpacking long long")
    return value


cdef object read_any(object value, str op, str name):
    if isinstance(value, (bool, float)) or not hasattr(value, "__index__"):
        raise TypeError(f"{op}(): argument '{name}' must be int, not "
                        f"{type(value).__name__}")
    return value.__index__()


def randint(*args, low=None, high=None, size=None, generator=None, out=None, dtype=None,
            layout=None, device=None, pin_memory=False, requires_grad=False):
    """Return integers: randint(high, size) or randint(low, high, size).

    They lie in ``[low, high)``; low is 0 unless given.
    """
    cdef list given = list(args)
    cdef Tensor y
    if size is None:
        if not given:
            raise TypeError("randint() received an invalid combination of arguments: "
                            "expected (int high, tuple of ints size) or (int low, int "
                            "high, tuple of ints size)")
        size = given.pop()
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint(): argument 'size' (position {len(args)}) must be "
                        f"tuple of ints, not {type(size).__name__}")
    if high is None and given:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if given or high is None:
        raise TypeError("randint() received an invalid combination of arguments: "
                        "expected high, or low and high, and size")
    y = blank("randint", (), size, out, dtype, layout, device, pin_memory, I64)
    integers_into(y, whole(low, "randint", "low"), whole(high, "randint", "high"),
                  generator)
    return finish(y, requires_grad)


cdef int check_count(int64_t n, int code) except -1:
    """Whether the dtype can count from 0 to n - 1 without a gap."""
    cdef int bits
    if code == BOOL:
        raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
    if is_float(code):
        if n > counts_to(code) + 1:
            name = {F32: "Float", F64: "Double", F16: "Half", BF16: "BFloat16"}[code]
            raise RuntimeError(
                f"n cannot be greater than {counts_to(code) + 1} for {name} type.")
        return 0
    bits = {I8: 7, I16: 15, I32: 31, U8: 8}.get(code, 62)
    if n > <int64_t>1 << bits:
        name = {I8: "int8_t", I16: "int16_t", I32: "int", U8: "uint8_t"}[code]
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return 0


def randperm(n, *, generator=None, out=None, dtype=None, layout=None, device=None,
             pin_memory=False, requires_grad=False):
    """Return the integers from 0 to n - 1 in random order."""
    cdef Tensor y = blank("randperm", (read_int(n, "randperm", "n"),), None, out, dtype,
                          layout, device, pin_memory, I64)
    check_count(y.count, y.code)
    draw_integers(y, DRAW_PERMUTATION, 0, 0, generator)
    return finish(y, requires_grad)


# ---- like another tensor ----

def rand_like(Tensor input not None, *, generator=None, dtype=None, layout=None,
              device=None, pin_memory=False, requires_grad=False, memory_format=None):
    """Return evenly distributed numbers in the input's shape and dtype."""
    cdef Tensor y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    check_uniform(y, 0, 1)
    draw(y, DRAW_UNIFORM, 0, 1, generator)
    return finish(y, requires_grad)


def randn_like(Tensor input not None, *, generator=None, dtype=None, layout=None,
               device=None, pin_memory=False, requires_grad=False, memory_format=None):
    """Return normally distributed numbers in the input's shape and dtype."""
    cdef Tensor y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    check_normal(y, 1)
    draw(y, DRAW_NORMAL, 0, 1, generator)
    return finish(y, requires_grad)


def randint_like(Tensor input not None, *args, low=None, high=None, generator=None,
                 dtype=None, layout=None, device=None, pin_memory=False,
                 requires_grad=False, memory_format=None):
    """Return integers of ``[low, high)`` in the input's shape and dtype."""
    cdef list given = list(args)
    cdef Tensor y
    if high is None and given:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if given or high is None:
        raise TypeError("randint_like() received an invalid combination of arguments: "
                        "expected (Tensor input, int high) or (Tensor input, int low, "
                        "int high)")
    y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    integers_into(y, whole(low, "randint_like", "low"),
                  whole(high, "randint_like", "high"), generator)
    return finish(y, requires_grad)


# ---- normal ----

cdef Node normal_node(Tensor m, Tensor s, Tensor y):
    """Sends zeros: the numbers are taken as constants."""
    cdef Node node = new_node(forget_both, b"NormalBackward2" if m is None
                              else b"NormalBackward3")
    if m is not None:
        link_fitted(node, 0, m, y)
    else:
        node.inputs = 1
    link_fitted(node, 1, s, y)
    return node


cdef int forget_both(Node node, Tensor gy) except -1:
    """Neither the mean nor the deviation gets a gradient."""
    send(node, 0, zeros_like(gy))
    send(node, 1, zeros_like(gy))
    return 0


cdef Tensor normal_of(object mean, object std, object generator):
    """One of the two, or both, are tensors."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank
    cdef double deviation
    cdef Tensor y, m, s
    cdef Node node = None
    if not isinstance(std, Tensor):
        m = <Tensor>mean
        deviation = read_float(std, "normal", "std")
        y = empty_like(m)
        check_normal(y, deviation)
        if needs_grad(m):
            node = new_node(forget, b"NormalBackward1")
            link(node, 0, m)
        draw(y, DRAW_NORMAL, 0, deviation, generator)
        add_into(y, m.detach())
    else:
        s = <Tensor>std
        if s.storage.device != META and s.count and s.min().item() < 0:
            raise RuntimeError("normal expects all elements of std >= 0.0")
        m = mean if isinstance(mean, Tensor) else None
        if m is None:
            y = empty_like(s)
        else:
            rank = broadcast(m, s, sizes)
            y = empty_beside(m, rank, sizes, m.code)
        check_normal(y, 1)
        if needs_grad(s) or m is not None and needs_grad(m):
            node = normal_node(m, s, y)
        draw(y, DRAW_NORMAL, 0, 1, generator)
        y.mul_(s.detach())
        y.add_(mean if m is None else m.detach())
    if node is not None:
        attach(y, node)
    return y


def normal(mean, std=1.0, size=None, *, generator=None, out=None, dtype=None,
           layout=None, device=None, pin_memory=False, requires_grad=False):
    """Return normally distributed numbers.

    `mean` or `std` or both are tensors, whose elements each draw one number; or both
    are numbers, and `size` is given.
    """
    cdef Tensor y
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if not isinstance(size, (tuple, list)):
            raise TypeError("normal() received an invalid combination of arguments: "
                            "numbers for mean and std need a size, a tuple of ints")
        y = blank("normal", (), size, out, dtype, layout, device, pin_memory,
                  get_default_dtype_code())
        check_normal(y, read_float(std, "normal", "std"))
        draw(y, DRAW_NORMAL, read_float(mean, "normal", "mean"),
             read_float(std, "normal", "std"), generator)
        return finish(y, requires_grad)
    if size is not None:
        raise TypeError("normal(): a size goes with numbers for mean and std only")
    return deliver(normal_of(mean, std, generator), out)
