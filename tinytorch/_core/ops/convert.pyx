"""Casts and moves: to(), float(), long(), cpu(), type() and their kin."""

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, link_fitted, new_node, send)
from tinytorch._core.executor cimport copy_new
from tinytorch._core.ops.shape cimport contiguous, copy_preserved
from tinytorch._core.storage cimport CPU, CUDA, META
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty, operators
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, U8, is_float, parse_device,
    parse_dtype)
from tinytorch._core.types cimport device as device_class
from tinytorch._core.types cimport dtype as dtype_class

METHODS = ["to", "type", "type_as", "float", "double", "half", "bfloat16", "long",
           "int",
           "short", "char", "byte", "bool", "cpu", "cuda", "pin_memory", "is_pinned"]


# ---- copies with another dtype or device ----

cdef Tensor c_to_device(Tensor x, int device, int index):
    cdef Tensor y
    cdef Node node
    if x.storage.device == device and (device != CUDA or x.storage.index == index):
        return x
    if x.storage.device == META:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    y = empty(x.rank, x.sizes, x.code, device, index)
    if device != META:
        copy_new(y, contiguous(x))
    if x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(move_backward, b"ToCopyBackward0")
        link(node, 0, x)
        node.i0 = x.storage.device
        node.i1 = x.storage.index
        attach(y, node)
    return y


cdef int move_backward(Node node, Tensor gy) except -1:
    """dx = dy on x's device"""
    send(node, 0, c_to_device(gy, <int>node.i0, <int>node.i1))
    return 0


cdef Tensor converted(Tensor x, int code, bint copy):
    """x in another dtype, in its order of memory; x itself unless something changes."""
    cdef Tensor y
    cdef Node node
    if x.code == code and not copy:
        return x
    y = copy_preserved(x, code)
    if is_float(code) and x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(convert_backward, b"ToCopyBackward0")
        link_fitted(node, 0, x, y)
        attach(y, node)
    return y


cdef int convert_backward(Node node, Tensor gy) except -1:
    """dx = dy, cast to x's dtype where it is sent"""
    send(node, 0, gy)
    return 0


cdef Tensor to_host(Tensor x):
    return c_to_device(x, CPU, 0)


operators.to_host = <object (*)(Tensor)>to_host


# ---- to ----

cdef int read_target(tuple args, dict kwargs, dict target) except -1:
    """Sort to()'s arguments into dtype, device, non_blocking, copy, memory_format."""
    cdef int n = len(args), at = 0
    cdef tuple rest = ("non_blocking", "copy")
    if n:
        first = args[0]
        at = 1
        if isinstance(first, dtype_class):
            target["dtype"] = first
        elif isinstance(first, Tensor):
            target["dtype"], target["device"] = first.dtype, first.device
        elif first is None or isinstance(first, (str, device_class, int)):
            target["device"] = first
            if n > 1 and (args[1] is None or isinstance(args[1], dtype_class)):
                target["dtype"] = args[1]
                at = 2
        else:
            raise_arguments(args, kwargs)
    if n - at > 2:
        raise_arguments(args, kwargs)
    for value in args[at:]:
        if not isinstance(value, (bool, int)) or isinstance(value, dtype_class):
            raise_arguments(args, kwargs)
        target[rest[0]] = value
        rest = rest[1:]
    for name, value in kwargs.items():
        if name == "other":
            target["dtype"], target["device"] = value.dtype, value.device
        elif name in ("dtype", "device", "non_blocking", "copy", "memory_format"):
            target[name] = value
        else:
            raise_arguments(args, kwargs)
    return 0


cdef int raise_arguments(tuple args, dict kwargs) except -1:
    names = ", ".join(["torch.dtype" if isinstance(a, dtype_class) else type(a).__name__
                       for a in args] + [f"{k}={type(v).__name__}"
                                         for k, v in kwargs.items()])
    raise TypeError(
        f"to() received an invalid combination of arguments - got ({names}), but "
        "expected one of:\n * (torch.device device = None, torch.dtype dtype = None, "
        "bool non_blocking = False, bool copy = False, *, torch.memory_format "
        "memory_format = None)\n * (torch.dtype dtype, bool non_blocking = False, bool "
        "copy = False, *, torch.memory_format memory_format = None)\n * (Tensor "
        "tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format "
        "memory_format = None)\n")


def to(Tensor self not None, *args, **kwargs):
    """Return self with another dtype or device; self itself if it has them.

    Takes a dtype, a device, both (device first), or a tensor to be like; further
    `non_blocking`, `copy` (copy in any case).
    """
    cdef dict target
    cdef int code, place = self.storage.device, index = self.storage.index
    cdef bint copy
    cdef Tensor y
    if len(args) == 1 and not kwargs and type(args[0]) is dtype_class:
        return converted(self, (<dtype_class>args[0]).code, False)
    target = {}
    read_target(args, kwargs, target)
    code = parse_dtype(target.get("dtype"), self.code)
    copy = bool(target.get("copy", False))
    if "channels_last" in str(target.get("memory_format")):
        raise NotImplementedError(
            f"memory format {target['memory_format']} is not supported")
    if target.get("device") is not None:
        place = parse_device(target["device"], &index)
    y = self
    if place != self.storage.device or (place == CUDA and index != self.storage.index):
        y = converted(y, code, False)  # the cheaper side does the cast
        return c_to_device(y, place, index)
    return converted(y, code, copy)


def to_float(Tensor self not None, memory_format=None):
    """Return self.to(float32)."""
    return converted(self, F32, False)


def to_double(Tensor self not None, memory_format=None):
    """Return self.to(float64)."""
    return converted(self, F64, False)


def half(Tensor self not None, memory_format=None):
    """Return self.to(float16)."""
    return converted(self, F16, False)


def bfloat16(Tensor self not None, memory_format=None):
    """Return self.to(bfloat16)."""
    return converted(self, BF16, False)


def to_long(Tensor self not None, memory_format=None):
    """Return self.to(int64)."""
    return converted(self, I64, False)


def to_int(Tensor self not None, memory_format=None):
    """Return self.to(int32)."""
    return converted(self, I32, False)


def to_short(Tensor self not None, memory_format=None):
    """Return self.to(int16)."""
    return converted(self, I16, False)


def to_char(Tensor self not None, memory_format=None):
    """Return self.to(int8)."""
    return converted(self, I8, False)


def byte(Tensor self not None, memory_format=None):
    """Return self.to(uint8)."""
    return converted(self, U8, False)


def to_bool(Tensor self not None, memory_format=None):
    """Return self.to(bool)."""
    return converted(self, BOOL, False)


# The names that mean something else in C or Python until the end of this module.
for name, function in {
        "float": to_float, "double": to_double, "long": to_long, "int": to_int,
        "short": to_short, "char": to_char, "bool": to_bool}.items():
    function.__name__ = name
    globals()[name] = function
del name, function


# ---- types by name ----

cdef dict type_names = {
    F32: "Float", F64: "Double", F16: "Half", BF16: "BFloat16", I64: "Long", I32: "Int",
    I16: "Short", I8: "Char", U8: "Byte", BOOL: "Bool"}
cdef dict by_type_name = {
    f"torch.{name}Tensor": code for code, name in type_names.items()}


def type_name(Tensor x not None) -> str:
    """Return 'torch.FloatTensor' and the like."""
    return (f"torch.{'cuda.' if x.storage.device == CUDA else ''}"
            f"{type_names[x.code]}Tensor")


def change_type(Tensor self not None, dtype=None, non_blocking=False, **kwargs):
    """Return the name of self's type, or self cast to a type, dtype or type's name."""
    if kwargs:
        raise TypeError(f"type() got an unexpected keyword argument "
                        f"'{next(iter(kwargs))}'")
    if dtype is None:
        return type_name(self)
    if isinstance(dtype, str):
        if dtype not in by_type_name:
            raise ValueError(f"invalid type: '{dtype}'")
        return converted(self, by_type_name[dtype], False)
    code = getattr(dtype, "dtype", dtype)  # FloatTensor and its kin say their dtype
    return converted(self, parse_dtype(code, self.code), False)


globals()["type"] = change_type
change_type.__name__ = "type"


def type_as(Tensor self not None, Tensor other not None):
    """Return self with the dtype and device of other."""
    return c_to_device(converted(self, other.code, False), other.storage.device,
                       other.storage.index)


# ---- devices ----

def cpu(Tensor self not None, memory_format=None):
    """Return self in main memory."""
    return c_to_device(self, CPU, 0)


def cuda(Tensor self not None, device=None, non_blocking=False, memory_format=None):
    """Return self on a GPU; raises if there is none."""
    cdef int index = 0
    if device is not None and parse_device(device, &index) != CUDA:
        raise RuntimeError(f"Invalid device, must be cuda device, got {device}")
    return c_to_device(self, CUDA, index)


def pin_memory(Tensor self not None, device=None):
    """Refuse: page-locked memory needs a device."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def is_pinned(Tensor self not None, device=None):
    """Return False: no memory is page-locked."""
    return False
