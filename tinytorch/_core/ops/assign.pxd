"""Writing whole tensors in place, with history: copies and fills."""

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

cdef Tensor c_copy_(Tensor y, Tensor x)              # y <- x, broadcast and cast
cdef Tensor c_fill_(Tensor y, const Number* value)   # checks the range
cdef int check_range(const Number* value, int code, bint halves=*) except -1
cdef int fill_number(Tensor y, const Number* value) except -1  # without history
cdef int check_overlap(Tensor y, Tensor x) except -1  # x: what is read, or None

# What an op and its in-place twin share: `start` gives the tensor to write, x itself or
# a copy; `recorded` hangs the written tensor into the graph.
cdef Tensor start(Tensor x, bint in_place)
cdef Tensor recorded(Tensor y, Node node, bint in_place)
cdef Number fitted(const Number* value, int code) noexcept  # as an element of the dtype
# The result, or `out` filled with it: not over the given tensors, a list or a tuple.
cdef object deliver_apart(Tensor result, object given, object out)
cdef int check_apart(Tensor y, Tensor result, object given) except -1
# The node of a write whose old values do not matter; None if nothing records.
# `backward` sends zeros to input 0; input 1 is x, if it is not None.
cdef Node overwriting(Tensor y, Tensor x, int (*backward)(Node, Tensor) except -1,
                      const char* title)
cdef int forget(Node node, Tensor gy) except -1
