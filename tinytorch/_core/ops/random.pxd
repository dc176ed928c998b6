"""Random numbers for the other families, from a generator or the default one (None)."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport Scalar
from tinytorch._core.ops.elementwise cimport Number
from tinytorch._core.rng cimport Generator
from tinytorch._core.tensor cimport Tensor

# y's elements drawn in the order of memory; `what` is one of rng's DRAW_...  No graph.
cdef int draw(Tensor y, int what, double a, double b, object generator) except -1
cdef int draw_integers(Tensor y, int what, int64_t low, int64_t high,
                       object generator) except -1
cdef Generator source(object generator)    # which must outlive what is being recorded

cdef int check_uniform(Tensor y, double low, double high) except -1
cdef int check_normal(Tensor y, double std) except -1
cdef Tensor integers_into(Tensor y, int64_t low, int64_t high, object generator)
cdef int64_t counts_to(int code) noexcept    # a float dtype has all integers up to it
cdef double read_float(object value, str op, str name) except? -1

# A view of y whose dimensions stand in the order of memory; `order` gets which of y's
# dimensions each one is.
cdef Tensor in_memory_order(Tensor y, int* order)
