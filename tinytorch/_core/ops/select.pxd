"""Choosing between tensors, for the other families; all recorded."""

from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.tensor cimport Tensor

# y = a where the condition (bool) holds, else b; a or b may be None: then the number.
# `into` is None or the tensor that is written.  No graph.
cdef Tensor choose(Tensor condition, Tensor a, const Number* na, Tensor b,
                   const Number* nb, Tensor into)
cdef Tensor cast(Tensor x, int code)                             # no graph
cdef Tensor c_where(Tensor condition, Tensor a, Tensor b)
cdef Tensor c_where_number(Tensor condition, Tensor a, double b)  # a where true, else b
cdef Tensor c_clamp(Tensor x, double low, double high)
