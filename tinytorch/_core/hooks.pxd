"""What is called when a gradient becomes known."""

from tinytorch._core.graph cimport Node
from tinytorch._core.tensor cimport Tensor

cdef object run_hooks(object table, Tensor g)
cdef int move_retained(Tensor x, Node node) except -1
