"""Questions about tensors and dtypes that need no kernel."""

from tinytorch._core.elements cimport item
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, code_with_number, code_with_tensor, deliver)
from tinytorch._core.storage cimport CUDA
from tinytorch._core.tensor cimport INFERENCE, Tensor, same_shape
from tinytorch._core.types cimport (
    BOOL, BOOLS, F16, F32, F64, FLOATS, I64, U8, category_of, dtype, dtype_of,
    get_default_dtype_code, is_float, promote)

__all__ = ["is_tensor", "is_floating_point", "is_complex", "is_signed", "is_nonzero",
           "is_storage", "is_same_size", "numel", "typename", "can_cast", "result_type",
           "get_device", "is_conj", "is_neg", "is_inference", "conj", "conj_physical",
           "conj_physical_", "resolve_conj", "resolve_neg", "view_as_real",
           "view_as_complex", "complex"]
METHODS = ["is_floating_point", "is_complex", "is_signed", "is_inference", "get_device",
           "is_nonzero", "is_same_size", "is_conj", "is_neg", "conj", "conj_physical",
           "conj_physical_", "resolve_conj", "resolve_neg", "real", "imag"]


def is_tensor(obj) -> bool:
    """Return whether obj is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj) -> bool:
    """Return whether obj is a storage."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage") and \
        type(obj).__module__.endswith("storage")


def is_floating_point(Tensor input not None) -> bool:
    """Return whether the elements are floating-point numbers."""
    return is_float(input.code)


def is_complex(Tensor input not None) -> bool:
    """Return False: there are no complex dtypes."""
    return False


def is_conj(Tensor input not None) -> bool:
    """Return False: no tensor is the lazy conjugate of another."""
    return False


def is_neg(Tensor input not None) -> bool:
    """Return False: no tensor is the lazy negative of another."""
    return False


def is_signed(Tensor input not None) -> bool:
    """Return whether the dtype has values below zero."""
    return input.code != U8 and input.code != BOOL


def is_inference(Tensor input not None) -> bool:
    """Return whether the tensor was made under inference_mode."""
    return (input.flags & INFERENCE) != 0


def is_nonzero(Tensor input not None) -> bool:
    """Return whether the only element differs from zero."""
    if input.count != 1:
        if input.count == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError(
            "Boolean value of Tensor with more than one value is ambiguous")
    return bool(item(input))


def is_same_size(Tensor input not None, Tensor other not None) -> bool:
    """Return whether both have the same shape."""
    return same_shape(input, other)


def numel(Tensor input not None) -> int:
    """Return the number of elements."""
    return input.count


def get_device(Tensor input not None) -> int:
    """Return the number of the GPU, -1 for the CPU."""
    return input.storage.index if input.storage.device == CUDA else -1


def typename(obj) -> str:
    """Return 'torch.FloatTensor' and the like;
    for other objects the name of their type."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    module = getattr(obj, "__module__", None) or kind.__module__
    name = getattr(obj, "__qualname__", None) or kind.__qualname__
    return name if module in ("builtins", "__builtin__") else f"{module}.{name}"


def can_cast(dtype from_ not None, dtype to not None) -> bool:
    """Return whether promotion may turn one dtype into the other."""
    return category_of(from_.code) <= category_of(to.code)


def result_type(tensor1, tensor2):
    """Return the dtype of an operation between two tensors or numbers."""
    cdef Number a, b
    if isinstance(tensor1, Tensor) and isinstance(tensor2, Tensor):
        return dtype_of(code_with_tensor(<Tensor>tensor1, <Tensor>tensor2))
    if isinstance(tensor2, Tensor):
        tensor1, tensor2 = tensor2, tensor1
    if not as_number(tensor2, &b):
        raise TypeError("result_type(): expected a Tensor or a number, got "
                        f"{type(tensor2).__name__}")
    if isinstance(tensor1, Tensor):
        return dtype_of(code_with_number(<Tensor>tensor1, &b))
    if not as_number(tensor1, &a):
        raise TypeError("result_type(): expected a Tensor or a number, got "
                        f"{type(tensor1).__name__}")
    return dtype_of(promote(code_of_number(&a), code_of_number(&b)))


cdef int code_of_number(const Number* n) noexcept:
    if n.category == FLOATS:
        return get_default_dtype_code()
    return BOOL if n.category == BOOLS else I64


# ---- complex numbers, of which there are none ----

def conj(Tensor input not None):
    """Return the input: real numbers are their own conjugates."""
    return input


def conj_physical(Tensor input not None, *, out=None):
    """Return the input: real numbers are their own conjugates."""
    return deliver(input, out)


def conj_physical_(Tensor self not None):
    """Return the tensor as it is."""
    return self


def resolve_conj(Tensor input not None):
    """Return the input."""
    return input


def resolve_neg(Tensor input not None):
    """Return the input."""
    return input


def view_as_real(Tensor input not None):
    """Raise, as PyTorch does for real tensors."""
    raise RuntimeError("view_as_real is only supported for complex tensors")


def view_as_complex(Tensor input not None):
    """Raise: there are no complex dtypes."""
    raise NotImplementedError("view_as_complex: complex dtypes are not supported")


def make_complex(Tensor real not None, Tensor imag not None, *, out=None):
    """Raise: there are no complex dtypes."""
    cdef str a = dtype_word(real.code), b = dtype_word(imag.code)
    if real.code not in (F32, F64, F16) or imag.code not in (F32, F64, F16):
        raise RuntimeError("Expected both inputs to be Half, Float or Double tensors "
                           f"but got {a} and {b}")
    if real.code != imag.code:
        raise RuntimeError(f"Expected object of scalar type {a} but got scalar type "
                           f"{b} for second argument")
    raise NotImplementedError("complex: complex dtypes are not supported")


@property
def real(self):
    """The tensor itself: it has no imaginary part."""
    return self


@property
def imag(self):
    """Raises, as PyTorch does for real tensors."""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


make_complex.__name__ = "complex"
globals()["complex"] = make_complex
