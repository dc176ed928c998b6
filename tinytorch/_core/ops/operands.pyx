"""What functions and methods of two operands do before an op: see operands.pxd."""

from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.tensor cimport Tensor


cdef int refuse_operand(str name, object other) except -1:
    raise TypeError(f"{name}(): argument 'other' (position 2) must be Tensor or "
                    f"Number, not {type(other).__name__}")


cdef object call(str name, object x, object other, OfTensors tensors, OfNumber number,
                 object out):
    cdef object y
    if not isinstance(x, Tensor) and not isinstance(other, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(x).__name__}")
    y = operate(x, other, tensors, number)
    if y is NotImplemented:
        refuse_operand(name, other)
    return y if out is None else deliver(<Tensor>y, out)


cdef object call_into(str name, Tensor x, object other, OfTensors tensors,
                      OfNumber number):
    cdef object y = operate_into(x, other, tensors, number)
    if y is NotImplemented:
        refuse_operand(name, other)
    return y
