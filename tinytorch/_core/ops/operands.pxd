"""The two forms of a binary op, and the choice between them by what the operands are.

Inline: a small op is quicker than a call through another module's table.
"""

from tinytorch._core.autograd cimport (
    Node, attach, gradient_ops, link_fitted, rebase)
from tinytorch._core.ops.elementwise cimport Number, as_number
from tinytorch._core.tensor cimport Tensor

# Over two tensors, and over a tensor and a number (`swapped`: the number stands first).
# `into` is None, or the tensor that an in-place op writes.
ctypedef Tensor (*OfTensors)(Tensor a, Tensor b, Tensor into)
ctypedef Tensor (*OfNumber)(Tensor x, const Number* n, bint swapped, Tensor into)


cdef inline object operate(object a, object b, OfTensors tensors, OfNumber number):
    """An operator; what is neither tensor nor number may know what to do itself."""
    cdef Number n
    if isinstance(a, Tensor):
        if isinstance(b, Tensor):
            return tensors(<Tensor>a, <Tensor>b, None)
        if as_number(b, &n):
            return number(<Tensor>a, &n, False, None)
        return NotImplemented
    if as_number(a, &n):
        return number(<Tensor>b, &n, True, None)
    return NotImplemented


cdef inline object operate_into(object x, object b, OfTensors tensors, OfNumber number):
    """The in-place operator: x is written."""
    cdef Number n
    if isinstance(b, Tensor):
        return tensors(<Tensor>x, <Tensor>b, <Tensor>x)
    if as_number(b, &n):
        return number(<Tensor>x, &n, False, <Tensor>x)
    return NotImplemented


# The same for functions and methods: what is no operand raises TypeError.
cdef object call(str name, object x, object other, OfTensors tensors, OfNumber number,
                 object out)
cdef object call_into(str name, Tensor x, object other, OfTensors tensors,
                      OfNumber number)
cdef int refuse_operand(str name, object other) except -1


cdef inline Tensor before(Tensor x, Tensor into):
    """What to save of an input: a copy if it is about to be written."""
    return gradient_ops.clone(x) if x is into else x


cdef inline Tensor linked(Node node, Tensor y, Tensor a, Tensor b, Tensor into):
    """Hang y, made from a and b (or None), into the graph."""
    if node is None:
        return y
    link_fitted(node, 0, a, y)
    if b is not None:
        link_fitted(node, 1, b, y)
    if into is None:
        attach(y, node)
    else:
        rebase(y, node)
    return y
