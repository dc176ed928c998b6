"""The ten dtypes, devices, Size, and PyTorch's promotion of dtypes."""

from tinytorch._core.storage cimport CPU, CUDA, META

cdef int default_code = F32
cdef int default_device = CPU
cdef int default_index = 0


cdef class dtype:
    """The type of a tensor's elements: `float32`, `int64`, `bool`, ..."""

    def __init__(self):
        raise TypeError("cannot create 'torch.dtype' instances")

    @property
    def is_floating_point(self):
        """Whether this is one of float16, bfloat16, float32, float64."""
        return is_float(self.code)

    @property
    def is_complex(self):
        """False: there are no complex dtypes."""
        return False

    @property
    def is_signed(self):
        """Whether values below zero exist."""
        return self.code != U8 and self.code != BOOL

    def to_real(self):
        """The dtype itself: there are no complex dtypes."""
        return self

    def __repr__(self):
        return "torch." + self.name

    def __reduce__(self):
        return _dtype_by_name, (self.name,)


cdef list dtypes = []


cdef dtype _make_dtype(int code, str name):
    cdef dtype made = dtype.__new__(dtype)
    made.code = code
    made.name = name
    made.itemsize = itemsize[code]
    dtypes.append(made)
    return made


float32 = _make_dtype(F32, "float32")
float64 = _make_dtype(F64, "float64")
float16 = _make_dtype(F16, "float16")
bfloat16 = _make_dtype(BF16, "bfloat16")
int64 = _make_dtype(I64, "int64")
int32 = _make_dtype(I32, "int32")
int16 = _make_dtype(I16, "int16")
int8 = _make_dtype(I8, "int8")
uint8 = _make_dtype(U8, "uint8")
bool_ = _make_dtype(BOOL, "bool")
cdef dict by_name = {(<dtype>d).name: d for d in dtypes}


def _dtype_by_name(str name not None):
    return by_name[name]


cdef dtype dtype_of(int code):
    return <dtype>dtypes[code]


cdef int parse_dtype(object value, int fallback) except -1:
    """Code of a dtype argument; None stands for the fallback."""
    if value is None:
        return fallback
    if type(value) is dtype:
        return (<dtype>value).code
    if value is float:
        return F64
    if value is int:
        return I64
    if value is bool:
        return BOOL
    raise TypeError(
        f"argument 'dtype' must be torch.dtype, not {type(value).__name__}")


# ---- promotion ----

cdef int[10] integer_rank = [0, 0, 0, 0, 4, 3, 2, 1, 1, 0]


cdef int promote(int a, int b) noexcept nogil:
    """The smallest dtype that holds both, as PyTorch defines it."""
    if a == b:
        return a
    if category_of(a) != category_of(b):
        return a if category_of(a) > category_of(b) else b
    if category_of(a) == FLOATS:
        if a == F64 or b == F64:
            return F64
        return F32  # float16 with bfloat16 also needs it
    if integer_rank[a] == integer_rank[b]:
        return I16  # uint8 with int8
    return a if integer_rank[a] > integer_rank[b] else b


def promote_types(dtype a not None, dtype b not None):
    """Return the smallest dtype to which both can be cast safely."""
    return dtype_of(promote(a.code, b.code))


cdef int get_default_dtype_code() noexcept nogil:
    return default_code


def get_default_dtype():
    """Return the dtype of tensors made from Python floats."""
    return dtype_of(default_code)


def set_default_dtype(d):
    """Set the dtype of tensors made from Python floats."""
    global default_code
    cdef int code = parse_dtype(d, F32)
    if not is_float(code):
        raise TypeError(
            "only floating-point types are supported as the default type")
    default_code = code


# ---- devices ----

cdef dict device_names = {"cpu": CPU, "cuda": CUDA, "meta": META}
cdef tuple device_types = ("cpu", "cuda", "meta")


cdef class device:
    """Where a tensor lives: 'cpu', 'cuda', 'cuda:1' or 'meta'."""

    def __init__(self, type, index=None):
        cdef str name, number
        self.number = -1
        if isinstance(type, device):
            self.code = (<device>type).code
            self.number = (<device>type).number
        elif isinstance(type, int) and index is None:
            self.code, self.number = CUDA, type
        elif isinstance(type, str):
            name, colon, number = (<str>type).partition(":")
            if name not in device_names:
                raise RuntimeError(
                    "Expected one of cpu, cuda, meta device type at start of device "
                    f"string: {name}")
            if colon:
                if not number.isdigit():
                    raise RuntimeError(f"Invalid device string: '{type}'")
                if index is not None:
                    raise RuntimeError(
                        "type (string) must not include an index because index was "
                        f"passed explicitly: {type}")
                index = int(number)
            self.code = device_names[name]
            if index is not None:
                if index < 0:
                    raise RuntimeError(f"Device index must not be negative, got "
                                       f"{index}")
                self.number = index
        else:
            raise TypeError(
                "device(): argument 'type' (position 1) must be str, not "
                f"{type.__class__.__name__}")

    @property
    def type(self):
        """'cpu', 'cuda' or 'meta'."""
        return device_types[self.code]

    @property
    def index(self):
        """Number of the device, or None."""
        return None if self.number < 0 else self.number

    def __repr__(self):
        if self.number < 0:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.number})"

    def __str__(self):
        return self.type if self.number < 0 else f"{self.type}:{self.number}"

    def __eq__(self, other):
        return (isinstance(other, device) and self.code == (<device>other).code
                and self.number == (<device>other).number)

    def __hash__(self):
        return hash((self.code, self.number))

    def __reduce__(self):
        return device, (str(self),)

    def __enter__(self):
        _device_stack.append((default_device, default_index))
        set_default_device(self)
        return self

    def __exit__(self, *exception):
        global default_device, default_index
        default_device, default_index = _device_stack.pop()


_device_stack = []
cdef device cpu_device = device("cpu")
cdef device meta_device = device("meta")


cdef device device_of(int code, int index):
    if code == CPU:
        return cpu_device
    if code == META:
        return meta_device
    return device(device_types[code], index)


cdef int parse_device(object value, int* index) except -1:
    """Code of a device argument; None stands for the default device."""
    cdef device parsed
    if value is None:
        index[0] = default_index
        return default_device
    parsed = <device>value if type(value) is device else device(value)
    index[0] = parsed.number if parsed.number > 0 else 0
    return parsed.code


cdef int default_device_code() noexcept nogil:
    return default_device


cdef int default_device_index() noexcept nogil:
    return default_index


def get_default_device():
    """Return the device on which factories put tensors."""
    return device_of(default_device, default_index)


def set_default_device(value):
    """Set the device on which factories put tensors; None means the CPU."""
    global default_device, default_index
    cdef device parsed = device("cpu" if value is None else value)
    default_device = parsed.code
    default_index = max(parsed.number, 0)


# ---- sizes ----

class Size(tuple):
    """The shape of a tensor: a tuple with `numel`."""

    __slots__ = ()

    def numel(self):
        """Return the product of the sizes."""
        n = 1
        for d in self:
            n *= d
        return n

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other):
        return Size(tuple(other) + tuple(self))

    def __mul__(self, n):
        return Size(tuple.__mul__(self, n))

    __rmul__ = __mul__

    def __getitem__(self, key):
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __repr__(self):
        return f"torch.Size({list(self)})"

    def __reduce__(self):
        return Size, (tuple(self),)


# ---- layouts and memory formats: names only, as every tensor is strided ----

class layout:
    """How elements are laid out; `strided` is the only layout."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return "torch." + self._name

    def __reduce__(self):
        return self._name


class memory_format(layout):
    """An order of dimensions in memory."""


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
