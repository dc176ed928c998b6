"""Scans for the other families: each records a graph while grad mode is on."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_cumsum(Tensor x, int dim, int code, bint backward=*)
# y[k] = b[k] + a[k - shift] y[k - 1] along `dim`, or with k + 1 where backward;
# b may be None: 1 at the beginning, 0 elsewhere
cdef Tensor c_recurrence(Tensor a, Tensor b, int dim, bint backward, bint shift)
cdef Tensor c_shifted(Tensor x, int dim, bint backward)   # y[k] = x[k - 1], 0 at first
