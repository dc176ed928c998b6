"""LAPACK's routines, called through pointers; the conventions are in lapack.pxd.

Single and double precision have the same C signature but for what the pointers point
to, so each routine is a pair of addresses, chosen by dtype.  Fortran passes everything
by address, and the lengths of strings at the end.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from tinytorch._core.openblas cimport blas_symbol

__all__ = []

cdef extern from "kernel.h":
    enum: TT_F32, TT_F64

# The prototypes: info comes last, then the lengths.
ctypedef void (*Getrf)(
    const int* m, const int* n, void* a, const int* lda, int* pivots,
    int* info) noexcept nogil
ctypedef void (*Getrs)(
    const char* trans, const int* n, const int* nrhs, const void* a, const int* lda,
    const int* pivots, void* b, const int* ldb, int* info, size_t) noexcept nogil
ctypedef void (*Getri)(
    const int* n, void* a, const int* lda, const int* pivots, void* work,
    const int* lwork, int* info) noexcept nogil
ctypedef void (*Potrf)(
    const char* uplo, const int* n, void* a, const int* lda, int* info,
    size_t) noexcept nogil
ctypedef void (*Potrs)(
    const char* uplo, const int* n, const int* nrhs, const void* a, const int* lda,
    void* b, const int* ldb, int* info, size_t) noexcept nogil
ctypedef void (*Sytrf)(
    const char* uplo, const int* n, void* a, const int* lda, int* pivots, void* work,
    const int* lwork, int* info, size_t) noexcept nogil
ctypedef void (*Trtrs)(
    const char* uplo, const char* trans, const char* diag, const int* n,
    const int* nrhs, const void* a, const int* lda, void* b, const int* ldb, int* info,
    size_t, size_t, size_t) noexcept nogil
ctypedef void (*Geqrf)(
    const int* m, const int* n, void* a, const int* lda, void* tau, void* work,
    const int* lwork, int* info) noexcept nogil
ctypedef void (*Orgqr)(
    const int* m, const int* n, const int* k, void* a, const int* lda, const void* tau,
    void* work, const int* lwork, int* info) noexcept nogil
ctypedef void (*Ormqr)(
    const char* side, const char* trans, const int* m, const int* n, const int* k,
    const void* a, const int* lda, const void* tau, void* c, const int* ldc, void* work,
    const int* lwork, int* info, size_t, size_t) noexcept nogil
ctypedef void (*Gesdd)(
    const char* job, const int* m, const int* n, void* a, const int* lda, void* s,
    void* u, const int* ldu, void* vt, const int* ldvt, void* work, const int* lwork,
    int* iwork, int* info, size_t) noexcept nogil
ctypedef void (*Syevd)(
    const char* job, const char* uplo, const int* n, void* a, const int* lda, void* w,
    void* work, const int* lwork, int* iwork, const int* liwork, int* info,
    size_t, size_t) noexcept nogil
ctypedef void (*Geev)(
    const char* jobvl, const char* jobvr, const int* n, void* a, const int* lda,
    void* wr, void* wi, void* vl, const int* ldvl, void* vr, const int* ldvr,
    void* work, const int* lwork, int* info, size_t, size_t) noexcept nogil
ctypedef void (*Gels)(
    const char* trans, const int* m, const int* n, const int* nrhs, void* a,
    const int* lda, void* b, const int* ldb, void* work, const int* lwork, int* info,
    size_t) noexcept nogil
ctypedef void (*Gelsy)(
    const int* m, const int* n, const int* nrhs, void* a, const int* lda, void* b,
    const int* ldb, int* pivots, const void* rcond, int* rank, void* work,
    const int* lwork, int* info) noexcept nogil
ctypedef void (*Gelsd)(
    const int* m, const int* n, const int* nrhs, void* a, const int* lda, void* b,
    const int* ldb, void* s, const void* rcond, int* rank, void* work,
    const int* lwork, int* iwork, int* info) noexcept nogil
ctypedef void (*Gelss)(
    const int* m, const int* n, const int* nrhs, void* a, const int* lda, void* b,
    const int* ldb, void* s, const void* rcond, int* rank, void* work,
    const int* lwork, int* info) noexcept nogil

cdef struct Table:  # single, double
    Getrf[2] getrf
    Getrs[2] getrs
    Getri[2] getri
    Potrf[2] potrf
    Potrs[2] potrs
    Potrf[2] potri
    Sytrf[2] sytrf
    Getrs[2] sytrs
    Trtrs[2] trtrs
    Geqrf[2] geqrf
    Orgqr[2] orgqr
    Ormqr[2] ormqr
    Gesdd[2] gesdd
    Syevd[2] syevd
    Geev[2] geev
    Gels[2] gels
    Gelsy[2] gelsy
    Gelsd[2] gelsd
    Gelss[2] gelss

cdef Table lapack
cdef bint loaded = False


cdef int load(void** pair, str name) except -1:
    pair[0] = blas_symbol(f"s{name}_")
    pair[1] = blas_symbol(f"d{name}_")
    return 0


cdef int ensure_lapack() except -1:
    global loaded
    if loaded:
        return 0
    load(<void**>lapack.getrf, "getrf")
    load(<void**>lapack.getrs, "getrs")
    load(<void**>lapack.getri, "getri")
    load(<void**>lapack.potrf, "potrf")
    load(<void**>lapack.potrs, "potrs")
    load(<void**>lapack.potri, "potri")
    load(<void**>lapack.sytrf, "sytrf")
    load(<void**>lapack.sytrs, "sytrs")
    load(<void**>lapack.trtrs, "trtrs")
    load(<void**>lapack.geqrf, "geqrf")
    load(<void**>lapack.orgqr, "orgqr")
    load(<void**>lapack.ormqr, "ormqr")
    load(<void**>lapack.gesdd, "gesdd")
    load(<void**>lapack.syevd, "syevd")
    load(<void**>lapack.geev, "geev")
    load(<void**>lapack.gels, "gels")
    load(<void**>lapack.gelsy, "gelsy")
    load(<void**>lapack.gelsd, "gelsd")
    load(<void**>lapack.gelss, "gelss")
    loaded = True
    return 0


# ---- workspace ----

cdef union Real:
    float f32
    double f64


cdef inline Real real(int dtype, double value) noexcept nogil:
    cdef Real x
    if dtype == TT_F32:
        x.f32 = <float>value
    else:
        x.f64 = value
    return x


cdef struct Workspace:
    # Routines that need one are called twice: with size -1 they say what they want.
    int dtype
    Real asked
    void* data
    int size       # elements
    int* integers


cdef Workspace query(int dtype) noexcept nogil:
    cdef Workspace w
    w.dtype, w.size, w.integers = dtype, -1, NULL
    w.asked = real(dtype, 0)
    return w


cdef bint provide(Workspace* w, int64_t integers) noexcept nogil:
    """Allocate what the query asked for; false if there is no memory."""
    cdef double wish = w.asked.f32 if w.dtype == TT_F32 else w.asked.f64
    w.size = <int>max(1, min(wish, 0x7fffffff))
    w.data = malloc(<size_t>w.size * (4 if w.dtype == TT_F32 else 8))
    w.integers = <int*>malloc(<size_t>max(1, integers) * sizeof(int))
    return w.data != NULL and w.integers != NULL


cdef int release(Workspace* w, int info) noexcept nogil:
    free(w.data)
    free(w.integers)
    return info


# ---- the routines ----

cdef inline int which(int dtype) noexcept nogil:
    return dtype == TT_F64


cdef int getrf(int dtype, int m, int n, void* a, int lda, int* pivots) noexcept nogil:
    cdef int info = 0
    lapack.getrf[which(dtype)](&m, &n, a, &lda, pivots, &info)
    return info


cdef int getrs(int dtype, char trans, int n, int nrhs, const void* a, int lda,
               const int* pivots, void* b, int ldb) noexcept nogil:
    cdef int info = 0
    lapack.getrs[which(dtype)](&trans, &n, &nrhs, a, &lda, pivots, b, &ldb, &info, 1)
    return info


cdef int getri(int dtype, int n, void* a, int lda, const int* pivots) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Getri routine = lapack.getri[which(dtype)]
    routine(&n, a, &lda, pivots, &w.asked, &w.size, &info)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&n, a, &lda, pivots, w.data, &w.size, &info)
    return release(&w, info)


cdef int potrf(int dtype, char uplo, int n, void* a, int lda) noexcept nogil:
    cdef int info = 0
    lapack.potrf[which(dtype)](&uplo, &n, a, &lda, &info, 1)
    return info


cdef int potrs(int dtype, char uplo, int n, int nrhs, const void* a, int lda,
               void* b, int ldb) noexcept nogil:
    cdef int info = 0
    lapack.potrs[which(dtype)](&uplo, &n, &nrhs, a, &lda, b, &ldb, &info, 1)
    return info


cdef int potri(int dtype, char uplo, int n, void* a, int lda) noexcept nogil:
    cdef int info = 0
    lapack.potri[which(dtype)](&uplo, &n, a, &lda, &info, 1)
    return info


cdef int sytrf(int dtype, char uplo, int n, void* a, int lda,
               int* pivots) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Sytrf routine = lapack.sytrf[which(dtype)]
    routine(&uplo, &n, a, &lda, pivots, &w.asked, &w.size, &info, 1)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&uplo, &n, a, &lda, pivots, w.data, &w.size, &info, 1)
    return release(&w, info)


cdef int sytrs(int dtype, char uplo, int n, int nrhs, const void* a, int lda,
               const int* pivots, void* b, int ldb) noexcept nogil:
    cdef int info = 0
    lapack.sytrs[which(dtype)](&uplo, &n, &nrhs, a, &lda, pivots, b, &ldb, &info, 1)
    return info


cdef int trtrs(int dtype, char uplo, char trans, char diag, int n, int nrhs,
               const void* a, int lda, void* b, int ldb) noexcept nogil:
    cdef int info = 0
    lapack.trtrs[which(dtype)](
        &uplo, &trans, &diag, &n, &nrhs, a, &lda, b, &ldb, &info, 1, 1, 1)
    return info


cdef int geqrf(int dtype, int m, int n, void* a, int lda, void* tau) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Geqrf routine = lapack.geqrf[which(dtype)]
    routine(&m, &n, a, &lda, tau, &w.asked, &w.size, &info)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&m, &n, a, &lda, tau, w.data, &w.size, &info)
    return release(&w, info)


cdef int orgqr(int dtype, int m, int n, int k, void* a, int lda,
               const void* tau) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Orgqr routine = lapack.orgqr[which(dtype)]
    routine(&m, &n, &k, a, &lda, tau, &w.asked, &w.size, &info)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&m, &n, &k, a, &lda, tau, w.data, &w.size, &info)
    return release(&w, info)


cdef int ormqr(int dtype, char side, char trans, int m, int n, int k, const void* a,
               int lda, const void* tau, void* c, int ldc) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Ormqr routine = lapack.ormqr[which(dtype)]
    routine(&side, &trans, &m, &n, &k, a, &lda, tau, c, &ldc, &w.asked, &w.size, &info,
            1, 1)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&side, &trans, &m, &n, &k, a, &lda, tau, c, &ldc, w.data, &w.size, &info,
            1, 1)
    return release(&w, info)


cdef int gesdd(int dtype, char job, int m, int n, void* a, int lda, void* s,
               void* u, int ldu, void* vt, int ldvt) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Gesdd routine = lapack.gesdd[which(dtype)]
    routine(&job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, &w.asked, &w.size, NULL,
            &info, 1)
    if not provide(&w, 8 * <int64_t>min(m, n)):
        return release(&w, NO_MEMORY)
    routine(&job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, w.data, &w.size, w.integers,
            &info, 1)
    return release(&w, info)


cdef int syevd(int dtype, char job, char uplo, int n, void* a, int lda,
               void* w) noexcept nogil:
    cdef int info = 0, integers = -1
    cdef int asked_integers = 0
    cdef Workspace space = query(dtype)
    cdef Syevd routine = lapack.syevd[which(dtype)]
    routine(&job, &uplo, &n, a, &lda, w, &space.asked, &space.size, &asked_integers,
            &integers, &info, 1, 1)
    if not provide(&space, asked_integers):
        return release(&space, NO_MEMORY)
    integers = max(1, asked_integers)
    routine(&job, &uplo, &n, a, &lda, w, space.data, &space.size, space.integers,
            &integers, &info, 1, 1)
    return release(&space, info)


cdef int geev(int dtype, char jobvl, char jobvr, int n, void* a, int lda, void* wr,
              void* wi, void* vl, int ldvl, void* vr, int ldvr) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Geev routine = lapack.geev[which(dtype)]
    routine(&jobvl, &jobvr, &n, a, &lda, wr, wi, vl, &ldvl, vr, &ldvr, &w.asked,
            &w.size, &info, 1, 1)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&jobvl, &jobvr, &n, a, &lda, wr, wi, vl, &ldvl, vr, &ldvr, w.data,
            &w.size, &info, 1, 1)
    return release(&w, info)


cdef int gels(int dtype, char trans, int m, int n, int nrhs, void* a, int lda,
              void* b, int ldb) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Gels routine = lapack.gels[which(dtype)]
    routine(&trans, &m, &n, &nrhs, a, &lda, b, &ldb, &w.asked, &w.size, &info, 1)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&trans, &m, &n, &nrhs, a, &lda, b, &ldb, w.data, &w.size, &info, 1)
    return release(&w, info)


cdef int gelsy(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               double rcond, int* rank) noexcept nogil:
    cdef int info = 0, j
    cdef Workspace w = query(dtype)
    cdef Real tolerance = real(dtype, rcond)
    cdef Gelsy routine = lapack.gelsy[which(dtype)]
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, NULL, &tolerance, rank, &w.asked, &w.size,
            &info)
    if not provide(&w, n):
        return release(&w, NO_MEMORY)
    for j in range(n):  # no column is moved to the front
        w.integers[j] = 0
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, w.integers, &tolerance, rank, w.data,
            &w.size, &info)
    return release(&w, info)


cdef int gelsd(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               void* s, double rcond, int* rank) noexcept nogil:
    cdef int info = 0, asked_integers = 0
    cdef Workspace w = query(dtype)
    cdef Real tolerance = real(dtype, rcond)
    cdef Gelsd routine = lapack.gelsd[which(dtype)]
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, s, &tolerance, rank, &w.asked, &w.size,
            &asked_integers, &info)
    if not provide(&w, asked_integers):
        return release(&w, NO_MEMORY)
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, s, &tolerance, rank, w.data, &w.size,
            w.integers, &info)
    return release(&w, info)


cdef int gelss(int dtype, int m, int n, int nrhs, void* a, int lda, void* b, int ldb,
               void* s, double rcond, int* rank) noexcept nogil:
    cdef int info = 0
    cdef Workspace w = query(dtype)
    cdef Real tolerance = real(dtype, rcond)
    cdef Gelss routine = lapack.gelss[which(dtype)]
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, s, &tolerance, rank, &w.asked, &w.size,
            &info)
    if not provide(&w, 0):
        return release(&w, NO_MEMORY)
    routine(&m, &n, &nrhs, a, &lda, b, &ldb, s, &tolerance, rank, w.data, &w.size,
            &info)
    return release(&w, info)
