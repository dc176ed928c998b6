"""Views and copies for the other families: each records a graph while grad mode is on."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport Backward, Node
from tinytorch._core.tensor cimport Tensor

# ---- reading arguments ----
cdef int wrap(int64_t dim, int rank) except -1             # 0-d tensors have dim 0, -1
cdef int read_dim(object dim, int rank, str op=*) except -1
cdef int read_dims(object dims, int rank, int* wrapped, str op=*) except -1  # returns n
cdef int64_t read_int(object value, str op, str name) except? -1
cdef int read_sizes(object sizes, int64_t* shape, str op=*) except -1  # returns n
cdef object unpack(tuple args)             # the sizes of f(2, 3) or f((2, 3))
cdef object either(tuple args, object named, str op, str name)  # ... or f(name=(2, 3))
cdef str dtype_word(int code)              # "Float": how messages name a dtype

# ---- views ----
# A view of x that `node` made; None: not recorded.
cdef Tensor viewed(Tensor x, Node node, int rank, const int64_t* sizes,
                   const int64_t* strides, int64_t offset)
cdef Node view_node(Tensor x, Backward backward, const char* title)  # None: no grad
cdef int save_sizes(Node node, int rank, const int64_t* sizes) except -1
cdef int saved_sizes(Node node, int64_t* sizes) except -1  # returns the rank
cdef Tensor c_view(Tensor x, int rank, const int64_t* sizes)     # raises if it cannot
cdef Tensor c_reshape(Tensor x, int rank, const int64_t* sizes)  # a view if it can be
cdef Tensor c_view_as(Tensor x, Tensor like)                     # reshape to like's shape
cdef Tensor c_transpose(Tensor x, int a, int b)
cdef Tensor c_permute(Tensor x, const int* dims)
cdef Tensor c_expand(Tensor x, int rank, const int64_t* sizes)   # sizes may be -1
cdef Tensor swapped(Tensor x, int a, int b, const char* title)
cdef Tensor without(Tensor x, const int* dims, int n, const char* title)
cdef Tensor c_squeeze(Tensor x, int dim)                         # no-op unless size 1
cdef Tensor c_unsqueeze(Tensor x, int dim)                       # 0 <= dim <= rank
cdef Tensor c_flatten(Tensor x, int begin, int end)              # both inclusive

# ---- copies ----
cdef Tensor c_contiguous(Tensor x)            # x itself if it is contiguous
cdef Tensor contiguous(Tensor x)              # the same without a graph: for kernels
cdef Tensor c_clone(Tensor x)                 # a contiguous copy
cdef Tensor c_to(Tensor x, int code)          # cast, x itself if it has the dtype
cdef Tensor empty_preserved(Tensor x, int code)  # unset, in x's order of memory
cdef Tensor copy_preserved(Tensor x, int code)   # with x's elements; no graph
cdef Tensor c_detach(Tensor x)
cdef Tensor zeros(int rank, const int64_t* sizes, Tensor like, int code)
cdef Tensor zeros_like(Tensor x)
cdef Tensor ones_like(Tensor x)
cdef Tensor reshaped_in_place(Tensor self, Tensor y)  # takes the shape of its view y
