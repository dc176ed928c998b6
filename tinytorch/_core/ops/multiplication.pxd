from tinytorch._core.tensor cimport Tensor

cdef Tensor c_mul(Tensor a, Tensor b)
cdef Tensor c_neg(Tensor x)
cdef Tensor c_square(Tensor x)
cdef Tensor c_mul_number(Tensor x, double value)   # x * value
