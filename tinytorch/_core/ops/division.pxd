from tinytorch._core.tensor cimport Tensor

cdef Tensor c_div(Tensor a, Tensor b)
cdef Tensor c_div_number(Tensor x, double value)   # x / value
cdef Tensor c_rdiv_number(Tensor x, double value)  # value / x
cdef Tensor c_floor_divide(Tensor a, Tensor b)
