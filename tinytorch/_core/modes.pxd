"""Whether ops record a graph, and what else is set for a thread."""

cdef extern from "modes.h" nogil:
    int tt_grad_mode, tt_inference_mode, tt_anomaly, tt_check_nan
    void* tt_current_run

cdef inline bint grad_mode() noexcept nogil:
    return tt_grad_mode

cdef inline bint inference_mode() noexcept nogil:
    return tt_inference_mode

cdef bint swap_grad_mode(bint on) noexcept nogil  # returns what it was
cdef object stack_of_call()                       # where an op was called, in words
