from tinytorch._core.tensor cimport Tensor

cdef object item(Tensor x)  # the only element as a Python number
