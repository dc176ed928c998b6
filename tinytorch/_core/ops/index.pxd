"""Basic indexing for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport MAX_DIMS

cdef enum:          # what a step of a plan does with the next dimension
    SLICE = 0       # keeps `size` of its entries, from start on, every stride-th
    SELECT = 1      # drops it, at start
    NEW = 2         # adds one of size 1 and uses none

cdef struct Step:
    int64_t kind, start, stride, size

cdef struct Plan:   # an index, read and checked against the sizes of a tensor
    int64_t steps
    int64_t taken   # dimensions of the tensor that the steps have used
    int64_t rank    # dimensions of the result so far
    Step[2 * MAX_DIMS + 2] step

cdef void clear_plan(Plan* plan) noexcept
cdef int plan_whole(Plan* plan, Tensor x, int dims) except -1
cdef int plan_new(Plan* plan) except -1
cdef int plan_select(Plan* plan, Tensor x, int64_t i) except -1
cdef int plan_slice(Plan* plan, Tensor x, object key) except -1
cdef Tensor apply_plan(Tensor x, const Plan* plan, bint trivial_slices=*)

cdef Tensor c_select(Tensor x, int dim, int64_t i)
cdef Tensor c_slice(Tensor x, int dim, int64_t start, int64_t stride, int64_t size)

# What ops/advanced supplies: all other keys.
ctypedef object (*AdvancedGet)(Tensor x, object key)
ctypedef int (*AdvancedSet)(Tensor x, object key, object value) except -1
cdef int register_advanced(AdvancedGet get, AdvancedSet set) noexcept
cdef int write_into(Tensor y, object value) except -1   # y[...] = value
cdef str type_name(object value)
cdef int plan_tuple(Plan* plan, Tensor x, object key) except -1
