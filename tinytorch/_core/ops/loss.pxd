"""What losses share: how they are reduced, and those that other families need."""

from tinytorch._core.tensor cimport Tensor

cdef enum:
    NONE = 0
    MEAN = 1
    SUM = 2

# The reduction by name; size_average and reduce are its older form.
cdef int read_reduction(object reduction, object size_average=*,
                        object reduce=*) except -1
cdef Tensor reduce_loss(Tensor loss, int reduction)
cdef Tensor c_mse_loss(Tensor x, Tensor t, int reduction)
