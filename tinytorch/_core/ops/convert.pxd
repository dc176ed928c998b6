"""From one dtype or device to another."""

from tinytorch._core.tensor cimport Tensor

cdef Tensor c_to_device(Tensor x, int device, int index)  # x itself if it is there
