"""Functions become Tensor methods here: the type is built before the ops exist."""

from cpython.object cimport PyTypeObject

from tinytorch._core.tensor cimport Tensor

cdef extern from "Python.h":
    void PyType_Modified(type)


def bind(str name not None, value):
    """Make `value` an attribute of every tensor, as if it stood in the class."""
    members = <dict>(<PyTypeObject*>Tensor).tp_dict
    members[name] = value
    PyType_Modified(Tensor)
