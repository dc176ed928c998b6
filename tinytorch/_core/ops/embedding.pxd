"""Rows of a table, for the other families."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

# w[index], with zeros where the index is `blank` (-1: nowhere); index is of int64.
cdef Tensor c_embedding(Tensor w, Tensor index, int64_t padding, bint by_frequency,
                        int64_t blank=*)
# Its gradient: the sum of gy's rows with the same index, in a table of so many rows.
cdef Tensor c_add_rows(Tensor gy, Tensor index, int64_t rows, int64_t padding,
                       bint by_frequency)
cdef Tensor int64_index(Tensor index, str what)
