"""Views and copies for the other families:
each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport Backward, Node
from tinytorch._core.tensor cimport Tensor

# What belongs with it, from the modules below.
from tinytorch._core.ops.arguments cimport (
    dtype_word, either, read_dim, read_dims, read_int, read_sizes, unpack, wrap)
from tinytorch._core.ops.copies cimport (
    c_clone, c_contiguous, c_detach, c_to, contiguous, copy_preserved, empty_preserved,
    ones_like, zeros, zeros_like)

# ---- views ----
# A view of x that `node` made; None: not recorded.
cdef Tensor viewed(Tensor x, Node node, int rank, const int64_t* sizes,
                   const int64_t* strides, int64_t offset)
cdef Node view_node(Tensor x, Backward backward, const char* title)  # None: no grad
cdef int save_sizes(Node node, int rank, const int64_t* sizes) except -1
cdef int saved_sizes(Node node, int64_t* sizes) except -1  # returns the rank
cdef Tensor c_view(Tensor x, int rank, const int64_t* sizes)     # raises if it cannot
cdef Tensor c_reshape(Tensor x, int rank, const int64_t* sizes)  # a view if it can be
# reshape to like's shape
cdef Tensor c_view_as(Tensor x, Tensor like)
cdef Tensor c_transpose(Tensor x, int a, int b)
cdef Tensor c_permute(Tensor x, const int* dims)
cdef Tensor c_expand(Tensor x, int rank, const int64_t* sizes)   # sizes may be -1
cdef Tensor swapped(Tensor x, int a, int b, const char* title)
cdef Tensor without(Tensor x, const int* dims, int n, const char* title)
cdef Tensor c_squeeze(Tensor x, int dim)                         # no-op unless size 1
cdef Tensor c_unsqueeze(Tensor x, int dim)                       # 0 <= dim <= rank
cdef Tensor c_flatten(Tensor x, int begin, int end)              # both inclusive
cdef Tensor reshaped_in_place(Tensor self, Tensor y)  # takes the shape of its view y
