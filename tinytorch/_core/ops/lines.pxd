"""Calls along one dimension, and the pair that derivatives of selections need."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.tensor cimport Tensor

# Runs a kernel of include/line.h.  y, index and w may be None; outputs keep `dim`.
# `s` has room for the dimension in front of the kernel's own scalars.
cdef int along(const Kernel* kernel, Tensor y, Tensor index, Tensor x, Tensor w,
               int dim, int compute, Scalar* s, int scalars) except -1

cdef Tensor sized(Tensor x, int dim, int64_t n,
                  int code)  # unset; x's shape but for dim
cdef int drop(Tensor y,
              int dim) except -1  # take a dimension of size 1 from a new tensor

# Indices lie in range: they are the library's own.  Both are recorded.
cdef Tensor take_along(Tensor x, Tensor index, int dim)
cdef Tensor put_along(Tensor g, Tensor index, int dim, int64_t n)  # sums where equal
