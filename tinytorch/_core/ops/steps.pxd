"""The steps of a recurrent layer."""

from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor

cdef enum:                 # kinds of cells
    LSTM = 0
    GRU = 1
    RNN_TANH = 2
    RNN_RELU = 3

cdef class Steps:
    cdef int kind
    cdef int64_t count     # of steps
    cdef int64_t batch     # rows of the first step, the most
    cdef bint reverse      # the last step comes first
    cdef list sizes        # rows of each step, None: the same for all
    cdef list offsets      # where they begin among the inputs
    # The rows of the k-th step that is taken, and the first of them.
    cdef int64_t rows(self, int64_t k, int64_t* begin)

cdef Steps steps_of(int kind, Tensor x, object sizes, bint reverse)

# The layer made of other ops: outputs, last state, last cell (None but for LSTM).
cdef tuple composed(Steps steps, Tensor x, Tensor h, Tensor c, Tensor w_ih, Tensor w_hh,
                    Tensor b_ih, Tensor b_hh, Tensor w_hr)
