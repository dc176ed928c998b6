"""A pass for some inputs only."""

from tinytorch._core.gradients cimport Run

cdef int prepare_captures(Run run, object inputs) except -1
cdef int find_needed(Run run, list roots) except -1
cdef object collect(Run run, object inputs, bint allow_unused, bint into_grad)
