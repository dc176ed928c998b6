"""What the normalisations share: their derivative as a composition of ops."""

from libc.stdint cimport uint64_t

from tinytorch._core.tensor cimport Tensor

# h of y = h w + b, where h is x without its mean over `dims`, scaled to unit variance
# (without `centre` the mean stays), and 1 / sqrt(variance + eps).
cdef tuple normalised(Tensor x, uint64_t dims, double eps, bint centre)
# The gradient of x, given that of h.
cdef Tensor through_norm(Tensor g, Tensor h, Tensor rstd, uint64_t dims, bint centre)
