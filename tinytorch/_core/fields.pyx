"""The attributes that users hang on a tensor.

They live in a dict that is made when the first one is set.  Cython's `__dict__` would
be made with every tensor, and a `__getattr__` would slow down every method call; so
the type is given what the `__dict__` of a class in Python consists of.
"""

from cpython.object cimport PyObject, PyTypeObject, inquiry, traverseproc
from libc.string cimport memset

from tinytorch._core.tensor cimport Tensor

cdef extern from "Python.h":
    ctypedef struct PyGetSetDef:
        const char* name
        void* get
        void* set
        const char* doc
        void* closure
    object PyDescr_NewGetSet(PyTypeObject* cls, PyGetSetDef* definition)
    object PyObject_GenericGetDict(object x, void* unused)
    int PyObject_GenericSetDict(object x, object value, void* unused) except -1
    void PyType_Modified(PyTypeObject* cls)
    void Py_CLEAR(PyObject* x)

ctypedef int (*Visit)(PyObject* x, void* argument) noexcept
ctypedef int (*Traverse)(PyObject* x, Visit visit, void* argument) noexcept
ctypedef int (*Clear)(PyObject* x) noexcept

cdef Traverse traverse_rest = <Traverse>(<PyTypeObject*>Tensor).tp_traverse
cdef Clear clear_rest = <Clear>(<PyTypeObject*>Tensor).tp_clear


cdef int traverse(PyObject* x, Visit visit, void* argument) noexcept:
    cdef PyObject* fields = (<Tensor>x).fields
    cdef int stop = 0 if fields == NULL else visit(fields, argument)
    return stop if stop else traverse_rest(x, visit, argument)


cdef int clear(PyObject* x) noexcept:
    Py_CLEAR((<Tensor>x).fields)
    return clear_rest(x)


cdef PyGetSetDef dict_of_fields
memset(&dict_of_fields, 0, sizeof(dict_of_fields))
dict_of_fields.name = b"__dict__"
dict_of_fields.get = <void*>PyObject_GenericGetDict
dict_of_fields.set = <void*>PyObject_GenericSetDict


cdef int give_fields(PyTypeObject* cls) except -1:
    cdef Tensor x = Tensor.__new__(Tensor)
    cls.tp_dictoffset = <char*>&x.fields - <char*><PyObject*>x
    cls.tp_traverse = <traverseproc>traverse
    cls.tp_clear = <inquiry>clear
    (<dict>cls.tp_dict)["__dict__"] = PyDescr_NewGetSet(cls, &dict_of_fields)
    PyType_Modified(cls)
    return 0


give_fields(<PyTypeObject*>Tensor)
