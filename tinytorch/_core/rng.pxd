"""CPU random generators whose streams equal PyTorch's, and what fills memory from them.

Every function here locks the generator for its duration and needs no GIL.  Memory is
contiguous; streams.h says in which order strided memory is to be filled.
"""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "rng.h" nogil:
    ctypedef union Scalar:
        double f
        int64_t i

    ctypedef struct Rng:
        uint64_t seed
        void* lock

    ctypedef struct RngBytes:
        pass

    # What fill can draw and sample can sample, and the outcomes of multinomial.
    enum:
        DRAW_UNIFORM, DRAW_NORMAL, DRAW_NORMAL_SERIAL, DRAW_INTEGERS, DRAW_LONGS
        DRAW_NATURALS, DRAW_BERNOULLI, DRAW_EXPONENTIAL, DRAW_GEOMETRIC, DRAW_CAUCHY
        DRAW_LOG_NORMAL, DRAW_PERMUTATION, DRAWS
        SAMPLE_POISSON, SAMPLE_GAMMA, SAMPLE_BINOMIAL
        WEIGHTS_OK, WEIGHTS_DTYPE, WEIGHTS_NEGATIVE, WEIGHTS_INFINITE, WEIGHTS_ZERO

cdef class Generator:
    cdef Rng rng

# The argument itself if it is a Generator, the default one for None.
cdef Generator generator_of(object generator)

# n elements at y.  -1: the dtype has no such stream.
cdef int fill(Rng* r, int draw, int dtype, void* y, int64_t n,
              const Scalar* s) noexcept nogil

# p: n probabilities within [0, 1] of any floating dtype.
cdef void sample_bernoulli(Rng* r, int dtype, void* y, int p_dtype, const void* p,
                           int64_t n) noexcept nogil

# y, a, b: n elements of one dtype; b for SAMPLE_BINOMIAL only.  -1: not for this dtype.
cdef int sample(Rng* r, int what, int dtype, void* y, const void* a, const void* b,
                int64_t n) noexcept nogil

# rows of cols concentrations (float32, float64, else -1); work: cols doubles.
cdef int sample_dirichlet(Rng* r, int dtype, void* y, const void* alpha, double* work,
                          int64_t rows, int64_t cols) noexcept nogil

# k indices for each row of cols weights; work: max(cols, 2 k) doubles.  PyTorch takes
# the way without replacement for k == 1 too.  One of WEIGHTS_...
cdef int multinomial(Rng* r, int64_t* y, int dtype, const void* weights, double* work,
                     int64_t rows, int64_t cols, int64_t k,
                     bint replacement) noexcept nogil
