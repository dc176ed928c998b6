"""The call of a module and the setting of its attributes, without what they may need.

Every layer of every step passes here.  Hooks and tables of parameters are the facade's:
`_hooked_call` and `_set_registered` of nn.Module.
"""

from cpython.dict cimport PyDict_Contains, PyDict_GetItem
from cpython.object cimport (
    PyObject, PyObject_GenericSetAttr, PyObject_TypeCheck, PyTypeObject)

from tinytorch._core.tensor cimport Tensor

cdef extern from "Python.h":
    object PyObject_GenericGetDict(object, void*)

cdef type Module = type(None)   # the facade says which
cdef bint watched = False   # whether a hook on the calls of all modules ever was


def watch():
    """Let every call look for hooks from now on."""
    global watched
    watched = True


def set_module_class(type cls not None):
    """Name the class of modules, whose objects belong into a table."""
    global Module
    Module = cls


def call(self, *args, **kwargs):
    """Call `forward`, between hooks if there are any."""
    cdef object fields = PyObject_GenericGetDict(self, NULL)
    if watched or PyDict_Contains(fields, "_hooked"):
        return self._hooked_call(args, kwargs)
    if kwargs:
        return self.forward(*args, **kwargs)
    return self.forward(*args)


cdef bint is_module(object x):
    return PyObject_TypeCheck(x, <PyTypeObject*>Module)


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
