"""Tensors from nested lists and numbers.

The shape follows from the first element of every level; then the dtype is found and the
elements are stored, both in one walk over the leaves each.
"""

from cpython.bool cimport PyBool_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact
from libc.math cimport isfinite
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t

from tinytorch._core.elements cimport item
from tinytorch._core.tensor cimport Tensor, data, empty
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, MAX_DIMS, U8, dtype_of,
    get_default_dtype_code, itemsize, promote)

cdef extern from "half.h" nogil:
    uint16_t f16_of_f32(float x)
    uint16_t bf16_of_f32(float x)

cdef extern from "Python.h":
    object PySequence_Fast(object o, const char* message)
    Py_ssize_t PySequence_Fast_GET_SIZE(object o)
    PyObject* PySequence_Fast_GET_ITEM(object o, Py_ssize_t i)  # borrowed
    bint PySequence_Check(object o)

# on borrowed references: a million leaves are not counted up and down
cdef extern from *:
    """
    #define TT_IS_FLOAT(o) PyFloat_CheckExact(o)
    #define TT_IS_INT(o) PyLong_CheckExact(o)
    #define TT_FLOAT_VALUE(o) PyFloat_AS_DOUBLE(o)
    """
    bint TT_IS_FLOAT(PyObject* o)
    bint TT_IS_INT(PyObject* o)
    double TT_FLOAT_VALUE(PyObject* o)


cdef bint is_sequence(object value) except -1:
    if PyFloat_CheckExact(value) or PyLong_CheckExact(value):
        return False
    return PyList_CheckExact(value) or PyTuple_CheckExact(value) or (
        not isinstance(value, (Tensor, str, bytes)) and PySequence_Check(value)
        and getattr(value, "ndim", 1) != 0)


cdef int find_sizes(object value, int64_t* sizes) except -1:
    """The shape that the first elements suggest; returns the number of dimensions."""
    cdef int rank = 0
    cdef object items
    while is_sequence(value):
        if rank == MAX_DIMS:
            raise ValueError(f"too many dimensions '{type(value).__name__}'")
        items = value if PyList_CheckExact(value) or PyTuple_CheckExact(value) \
            else PySequence_Fast(value, b"not a sequence")
        sizes[rank] = PySequence_Fast_GET_SIZE(items)
        rank += 1
        if sizes[rank - 1] == 0:
            break
        value = <object>PySequence_Fast_GET_ITEM(items, 0)
        if isinstance(value, (str, bytes)):
            raise ValueError(f"too many dimensions '{type(value).__name__}'")
    return rank


cdef int code_of_leaf(object value) except -1:
    cdef str name
    if PyFloat_CheckExact(value):
        return get_default_dtype_code()
    if PyBool_Check(value):
        return BOOL
    if PyLong_CheckExact(value):
        return I64
    if isinstance(value, Tensor):
        return (<Tensor>value).code
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not supported")
    if hasattr(value, "dtype"):
        name = str(value.dtype)
        if name in numpy_codes:
            return numpy_codes[name]
        if "complex" in name:
            raise NotImplementedError("complex numbers are not supported")
    if isinstance(value, float):
        return get_default_dtype_code()
    if isinstance(value, int) or hasattr(value, "__index__"):
        return I64
    if isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    if isinstance(value, (list, tuple)):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an "
                        "integer")
    raise RuntimeError(f"Could not infer dtype of {type(value).__name__}")


cdef dict numpy_codes = {
    "float32": F32, "float64": F64, "float16": F16, "int64": I64, "int32": I32,
    "int16": I16, "int8": I8, "uint8": U8, "bool": BOOL}


cdef int find_code(object value, int depth, int code) except? -2:
    """The promoted dtype of all leaves; code is what was found before, -1 nothing."""
    cdef Py_ssize_t i, n
    cdef PyObject* leaf
    cdef int found, real = get_default_dtype_code()
    if depth == 0:
        found = code_of_leaf(value)
        return found if code < 0 else promote(code, found)
    if not PyList_CheckExact(value) and not PyTuple_CheckExact(value):
        if isinstance(value, Tensor) or not PySequence_Check(value):
            return find_code(value, 0, code)  # storing it will raise
        if hasattr(value, "dtype") and str(value.dtype) in numpy_codes:
            found = numpy_codes[str(value.dtype)]
            return found if code < 0 else promote(code, found)
        value = PySequence_Fast(value, b"not a sequence")
    n = PySequence_Fast_GET_SIZE(value)
    if depth > 1:
        for i in range(n):
            code = find_code(<object>PySequence_Fast_GET_ITEM(value, i), depth - 1,
                             code)
        return code
    for i in range(n):
        leaf = PySequence_Fast_GET_ITEM(value, i)
        if TT_IS_FLOAT(leaf):
            found = real
        elif TT_IS_INT(leaf):
            found = I64
        else:
            found = code_of_leaf(<object>leaf)
        if found != code:
            code = found if code < 0 else promote(code, found)
    return code


cdef char* store_all(object value, int depth, const int64_t* sizes, char* p, int code,
                     int at) except NULL:
    """Store the leaves in order; returns the place behind them."""
    cdef Py_ssize_t i, n
    cdef int size = itemsize[code]
    cdef object items
    cdef PyObject* leaf
    if depth == 0:
        store(value, p, code)
        return p + size
    if PyList_CheckExact(value) or PyTuple_CheckExact(value):
        items = value
    elif isinstance(value, Tensor) or not PySequence_Check(value):
        raise TypeError("not a sequence")
    else:
        items = PySequence_Fast(value, b"not a sequence")
    n = PySequence_Fast_GET_SIZE(items)
    if n != sizes[0]:
        raise ValueError(
            f"expected sequence of length {sizes[0]} at dim {at} (got {n})")
    if depth > 1:
        for i in range(n):
            p = store_all(<object>PySequence_Fast_GET_ITEM(items, i), depth - 1,
                          sizes + 1, p, code, at + 1)
        return p
    for i in range(n):
        leaf = PySequence_Fast_GET_ITEM(items, i)
        if code == F32 and TT_IS_FLOAT(leaf):
            (<float*>p)[0] = <float>TT_FLOAT_VALUE(leaf)
        else:
            store(<object>leaf, p, code)
        p += size
    return p


cdef int64_t as_integer(object value, int code) except? -1:
    """A leaf as an element of an integer dtype; what it cannot hold is refused."""
    cdef int overflow = 0
    cdef double f
    cdef int64_t i = 0
    cdef bint fits = True
    if PyLong_CheckExact(value) or PyBool_Check(value):
        i = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            raise ValueError("Overflow when unpacking long long")
    elif isinstance(value, float):
        f = value
        fits = isfinite(f) and -9.3e18 < f < 9.3e18
        i = <int64_t>f if fits else 0
    elif isinstance(value, Tensor):
        return as_integer(leaf_of(<Tensor>value), code)
    elif hasattr(value, "item") and hasattr(value, "dtype"):
        return as_integer(value.item(), code)
    elif isinstance(value, (list, tuple)) or not hasattr(value, "__index__"):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an "
                        "integer")
    else:
        return as_integer(value.__index__(), code)
    if fits and code != I64:
        if code == U8:
            fits = -255 <= i <= 255
        else:
            fits = -(<int64_t>1 << (8 * itemsize[code] - 1)) <= i < (
                <int64_t>1 << (8 * itemsize[code] - 1))
    if not fits:
        raise RuntimeError("value cannot be converted to type "
                           f"{dtype_of(code).name} without overflow")
    return i


cdef object leaf_of(Tensor x):
    if x.count != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return item(x)


cdef double as_real(object value) except? -1:
    if PyFloat_CheckExact(value):
        return PyFloat_AS_DOUBLE(value)
    if isinstance(value, Tensor):
        return float(leaf_of(<Tensor>value))
    if isinstance(value, (list, tuple)):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not supported")
    if isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    return float(value)


cdef int store(object value, char* p, int code) except -1:
    cdef int64_t i
    cdef int overflow = 0
    if code == I64 and PyLong_CheckExact(value):
        (<int64_t*>p)[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            raise ValueError("Overflow when unpacking long long")
        return 0
    if code == F32:
        (<float*>p)[0] = <float>as_real(value)
    elif code == F64:
        (<double*>p)[0] = as_real(value)
    elif code == F16:
        (<uint16_t*>p)[0] = f16_of_f32(<float>as_real(value))
    elif code == BF16:
        (<uint16_t*>p)[0] = bf16_of_f32(<float>as_real(value))
    elif code == BOOL:
        if isinstance(value, Tensor):
            value = leaf_of(<Tensor>value)
        p[0] = bool(value)
    else:
        i = as_integer(value, code)
        if code == I64:
            (<int64_t*>p)[0] = i
        elif code == I32:
            (<int32_t*>p)[0] = <int32_t>i
        elif code == I16:
            (<int16_t*>p)[0] = <int16_t>i
        else:
            p[0] = <char>i
    return 0


cdef Tensor from_sequence(object value, int code):
    """A host tensor with the elements of nested sequences, or of a number."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank
    cdef Tensor y
    if isinstance(value, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(value).__name__}'")
    rank = find_sizes(value, sizes)
    if code < 0:
        code = find_code(value, rank, -1)
        if code < 0:
            code = get_default_dtype_code()
    y = empty(rank, sizes, code)
    if y.count:
        store_all(value, rank, sizes, data(y), code, 0)
    return y
