"""In-place ops: check before writing, then hang the node into the tensor's history."""

from tinytorch._core.graph cimport Node
from tinytorch._core.tensor cimport Tensor

cdef int check_inplace(Tensor x) except -1
cdef int refuse_repeated(Tensor x) except -1  # elements that share a place
cdef int check_history(Tensor x) except -1   # for fills: elements may coincide
cdef int check_source(Tensor x, Tensor y) except -1  # y's history becomes part of x's
cdef int check_write(Tensor x, Tensor y) except -1   # both: of x, and of x and y
cdef int refuse_view(Tensor x, bint indirect) except -1
cdef int rebase(Tensor x, Node node) except -1
