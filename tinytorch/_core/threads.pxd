from libc.stdint cimport int64_t

ctypedef void (*Body)(void* context, int64_t begin, int64_t end) noexcept nogil

# Run body over 0..n in chunks of exactly `grain` (the last may be shorter).  The chunks
# do not depend on the number of threads, so neither do results.  Chunks may run in any
# order; nested calls and calls while another thread uses the pool run in the caller.
cdef void parallel_for(
    Body body, void* context, int64_t n, int64_t grain) noexcept nogil
cdef int num_threads() noexcept nogil
