"""Activations for the other families; all recorded."""

from tinytorch._core.autograd cimport Node
from tinytorch._core.tensor cimport Tensor

cdef Tensor c_relu(Tensor x)
cdef Tensor d_relu(Node node, Tensor gy, Tensor y)  # relu's gradient, from its result
cdef Tensor c_gelu(Tensor x)
cdef Tensor c_silu(Tensor x)
cdef Tensor c_leaky_relu(Tensor x, double slope)
