# LAPACK, in single (F32) and double (F64) precision.  Matrices are stored COLUMN by
# column: element (i, j) is a[i + j * lda].  A row-major matrix is the transpose of what
# LAPACK sees; the caller copies, or asks for the transposed problem.  Pivots count
# from 1.
#
# Every function returns LAPACK's info: 0; i > 0 for a numerical failure (singular, not
# positive definite, no convergence); -i for a wrong argument i; NO_MEMORY if there was
# none for the workspace, which is allocated inside.  Call `ensure_lapack` first.

cdef enum:
    NO_MEMORY = -1000

cdef int ensure_lapack() except -1  # RuntimeError if the library is missing

# P A = L U in place; solve with it (trans b"N" or b"T"); invert.
cdef int getrf(int dtype, int m, int n, void* a, int lda, int* pivots) noexcept nogil
cdef int getrs(int dtype, char trans, int n, int nrhs, const void* a, int lda,
               const int* pivots, void* b, int ldb) noexcept nogil
cdef int getri(int dtype, int n, void* a, int lda, const int* pivots) noexcept nogil

# A = L L' (uplo b"L") or U' U (b"U"); the other triangle is not touched.
cdef int potrf(int dtype, char uplo, int n, void* a, int lda) noexcept nogil
cdef int potrs(int dtype, char uplo, int n, int nrhs, const void* a, int lda,
               void* b, int ldb) noexcept nogil
cdef int potri(int dtype, char uplo, int n, void* a, int lda) noexcept nogil

# Symmetric indefinite A = L D L'.
cdef int sytrf(int dtype, char uplo, int n, void* a, int lda,
               int* pivots) noexcept nogil
cdef int sytrs(int dtype, char uplo, int n, int nrhs, const void* a, int lda,
               const int* pivots, void* b, int ldb) noexcept nogil

# Triangular systems: op(A) X = B, diag b"U" for a unit diagonal.
cdef int trtrs(int dtype, char uplo, char trans, char diag, int n, int nrhs,
               const void* a, int lda, void* b, int ldb) noexcept nogil

# A = Q R: R and the reflectors in place; make Q's first n columns; multiply by Q.
cdef int geqrf(int dtype, int m, int n, void* a, int lda, void* tau) noexcept nogil
cdef int orgqr(int dtype, int m, int n, int k, void* a, int lda,
               const void* tau) noexcept nogil
cdef int ormqr(int dtype, char side, char trans, int m, int n, int k, const void* a,
               int lda, const void* tau, void* c, int ldc) noexcept nogil

# A = U diag(s) V': job b"A" all of U and V', b"S" the first min(m, n), b"N" none.
cdef int gesdd(int dtype, char job, int m, int n, void* a, int lda, void* s,
               void* u, int ldu, void* vt, int ldvt) noexcept nogil

# Symmetric A = V diag(w) V', w ascending, V in place of A if job is b"V".
cdef int syevd(int dtype, char job, char uplo, int n, void* a, int lda,
               void* w) noexcept nogil

# Eigenvalues wr + i wi; a conjugate pair's right vectors are columns j +- i (j + 1).
cdef int geev(int dtype, char jobvl, char jobvr, int n, void* a, int lda, void* wr,
              void* wi, void* vl, int ldvl, void* vr, int ldvr) noexcept nogil

# Least squares, X in place of B, which has max(m, n) rows.  gels: full rank by QR.
# gelsy: any rank, by pivoted QR.  gelsd, gelss: by SVD, singular values in s.
cdef int gels(int dtype, char trans, int m, int n, int nrhs, void* a, int lda,
              void* b, int ldb) noexcept nogil
cdef int gelsy(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               double rcond, int* rank) noexcept nogil
cdef int gelsd(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               void* s, double rcond, int* rank) noexcept nogil
cdef int gelss(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               void* s, double rcond, int* rank) noexcept nogil
