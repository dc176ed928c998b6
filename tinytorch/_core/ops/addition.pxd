from tinytorch._core.tensor cimport Tensor

cdef Tensor c_add(Tensor a, Tensor b)
cdef Tensor c_sub(Tensor a, Tensor b)
cdef Tensor c_add_number(Tensor x, double value)   # x + value
cdef Tensor c_rsub_number(Tensor x, double value)  # value - x
cdef int add_into(Tensor y, Tensor x) except -1    # y += x, without a graph
