"""The call of a module and the setting of its attributes, without what they may need.

Every layer of every step passes here.  Hooks and tables of parameters are the facade's:
`_hooked_call` and `_set_registered` of nn.Module.
"""

from cpython.dict cimport PyDict_Contains, PyDict_GetItem
from cpython.object cimport (
    PyObject, PyObject_GenericSetAttr, PyObject_TypeCheck, PyTypeObject,
    Py_TYPE)
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from tinytorch._core.tensor cimport Tensor

cdef extern from "Python.h":
    ctypedef struct PyType_Slot:
        int slot
        void* pfunc
    ctypedef struct PyType_Spec:
        const char* name
        int basicsize
        int itemsize
        unsigned int flags
        PyType_Slot* slots
    int Py_tp_call
    unsigned long Py_TPFLAGS_DEFAULT, Py_TPFLAGS_BASETYPE, Py_TPFLAGS_METHOD_DESCRIPTOR
    object PyType_FromSpec(PyType_Spec* spec)
    unsigned long PyType_GetFlags(PyTypeObject* cls)
    PyObject* _PyType_Lookup(PyTypeObject* cls, object name)
    object PyObject_GenericGetDict(object x, void* unused)
    object PyObject_Call(object f, object args, PyObject* kwargs)
    object PyObject_Vectorcall(object f, PyObject** args, size_t n, PyObject* names)

cdef bint watched = False   # whether a hook on the calls of all modules ever was


def watch():
    """Let every call look for hooks from now on."""
    global watched
    watched = True


# ---- calls ----

cdef object call(object self, object args, PyObject* kwargs):
    """Call `forward`, between hooks if there are any: tp_call of all modules."""
    cdef object fields = PyObject_GenericGetDict(self, NULL)
    if watched or PyDict_Contains(fields, "_hooked"):
        return self._hooked_call(args, {} if kwargs == NULL else <object>kwargs)
    if kwargs == NULL and PyTuple_GET_SIZE(args) == 1:
        return forward_one(self, fields, <object>PyTuple_GET_ITEM(args, 0))
    return PyObject_Call(self.forward, args, kwargs)


cdef object forward_one(object self, object fields, object x):
    """self.forward(x); no bound method is made of a function of the class."""
    cdef PyObject* found = _PyType_Lookup(Py_TYPE(self), "forward")  # borrowed
    cdef PyObject* args[2]
    if found == NULL or PyDict_Contains(fields, "forward") or not (
            PyType_GetFlags(Py_TYPE(<object>found)) & Py_TPFLAGS_METHOD_DESCRIPTOR):
        return self.forward(x)
    forward = <object>found
    args[0], args[1] = <PyObject*>self, <PyObject*>x
    return PyObject_Vectorcall(forward, args, 2, NULL)


# Layers that have one op for both: `first`'s weight and bias, then `second`.
cdef object first_forward = None, second_forward = None, both = None, Weight = None


def fuse(first, second, op, kind):
    """Let call_in_turn replace a pair of modules whose forwards are these functions.

    Args:
        first: the forward of a module with `weight` and `bias`.
        second: that of a module without parameters.
        op: what is called instead of both, with the input, the weight and the bias.
        kind: the class of weights; those of another may still wait for their shape.
    """
    global first_forward, second_forward, both, Weight
    first_forward, second_forward, both, Weight = first, second, op, kind


cdef dict bare_fields(object module):
    """The attributes of a module whose call is that of its forward, else None."""
    if watched or Py_TYPE(module).tp_call != <void*>call:
        return None
    fields = PyObject_GenericGetDict(module, NULL)
    return None if PyDict_Contains(fields, "_hooked") else <dict>fields


cdef bint is_forward(object module, dict fields, object forward):
    return _PyType_Lookup(Py_TYPE(module), "forward") == <PyObject*>forward \
        and not PyDict_Contains(fields, "forward")


cdef bint may_fuse(dict fields, object x):
    """Whether `both` means the same as the first module's forward and the second's."""
    cdef PyObject* weight = PyDict_GetItem(fields, "weight")
    cdef PyObject* bias = PyDict_GetItem(fields, "bias")
    return (
        type(x) is Tensor and weight != NULL and type(<object>weight) is Weight
        and bias != NULL
        and (type(<object>bias) is Weight or <object>bias is None)
        and not PyDict_Contains(fields, "_activation"))


def call_in_turn(modules, x):
    """Pass x through the modules: the body of nn.Sequential."""
    cdef dict fields, waiting = None   # attributes of `first`, whose successor decides
    cdef object first = None
    for module in modules.values():
        fields = bare_fields(module)
        if waiting is not None:
            if fields is not None and is_forward(module, fields, second_forward):
                x = both(x, waiting["weight"], waiting["bias"])
                waiting = None
                continue
            x = forward_one(first, waiting, x)
            waiting = None
        if fields is None:
            x = module(x)
        elif is_forward(module, fields, first_forward) and may_fuse(fields, x):
            first, waiting = module, fields
        else:
            x = forward_one(module, fields, x)
    return x if waiting is None else forward_one(first, waiting, x)


# A type with a slot and nothing else.  A class statement would also bring a `__new__`
# and so break `object.__new__(SomeModule)`; a `__call__` in Python would be looked up
# for every call of every layer.
cdef PyType_Slot[2] slots
slots[0].slot, slots[0].pfunc = Py_tp_call, <void*>call
slots[1].slot, slots[1].pfunc = 0, NULL
cdef PyType_Spec spec
spec.name = b"tinytorch._core.modules.Called"
spec.basicsize = spec.itemsize = 0  # as object's
spec.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
spec.slots = slots
Called = PyType_FromSpec(&spec)  # the base of nn.Module
cdef PyTypeObject* Module = <PyTypeObject*>Called


# ---- attributes ----

cdef bint is_module(object x):
    return PyObject_TypeCheck(x, Module)


cdef bint registered(object fields, object name) except -1:
    """Whether `name` stands in a table of the module, or names one."""
    cdef PyObject* table
    for kind in ("_parameters", "_buffers", "_modules"):
        if name == kind:
            return True
        table = PyDict_GetItem(fields, kind)
        if table != NULL and PyDict_Contains(<object>table, name):
            return True
    return False


def set_attribute(self, str name not None, value):
    """Set an attribute of a module; what its tables know of goes to the facade."""
    cdef object fields = PyObject_GenericGetDict(self, NULL)
    cdef PyObject* before
    cdef object x
    if is_module(value) or (
            isinstance(value, Tensor) and type(value) is not Tensor):
        self._set_registered(name, value)
        return
    before = PyDict_GetItem(fields, name)
    if before != NULL:
        x = <object>before
        # no other values are mirrored in the tables, and these are dicts
        if (x is None or isinstance(x, (Tensor, dict)) or is_module(x)) \
                and registered(fields, name):
            self._set_registered(name, value)
            return
    PyObject_GenericSetAttr(self, name, value)
