"""Arithmetic for the other families: each records a graph while grad mode is on."""

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

cdef Tensor c_add(Tensor a, Tensor b)
cdef Tensor c_sub(Tensor a, Tensor b)
cdef Tensor c_mul(Tensor a, Tensor b)
cdef Tensor c_div(Tensor a, Tensor b)
cdef Tensor c_neg(Tensor x)
cdef Tensor c_square(Tensor x)
cdef Tensor c_add_number(Tensor x, double value)   # x + value
cdef Tensor c_rsub_number(Tensor x, double value)  # value - x
cdef Tensor c_mul_number(Tensor x, double value)   # x * value
cdef Tensor c_div_number(Tensor x, double value)   # x / value
cdef Tensor c_rdiv_number(Tensor x, double value)  # value / x
cdef Tensor c_floor_divide(Tensor a, Tensor b)
cdef int add_into(Tensor y, Tensor x) except -1    # y += x, without a graph

# The two forms of a binary op, and the dispatch between them by what the operands are.
ctypedef Tensor (*OfTensors)(Tensor a, Tensor b, Tensor into)
ctypedef Tensor (*OfNumber)(Tensor x, const Number* n, bint swapped, Tensor into)
cdef object operate(object a, object b, OfTensors tensors, OfNumber number)
cdef object operate_into(object x, object b, OfTensors tensors, OfNumber number)
# The same for functions and methods: what is no operand raises TypeError.
cdef object call(str name, object x, object other, OfTensors tensors, OfNumber number,
                 object out)
cdef object call_into(str name, Tensor x, object other, OfTensors tensors,
                      OfNumber number)
# Hangs y, made from a and b (or None), into the graph; `into` says whether in place.
cdef Tensor linked(Node node, Tensor y, Tensor a, Tensor b, Tensor into)
