/* One call over a list of n tensors: zeroing, scaling, clamping, norms; for steps:
   multi_step.h.

   A kernel's flags say how many tensors belong together, `per`: operand k n + i is the
   k-th of tensor i.
   Chunks follow from the sizes alone, so results do not depend on threads. */
#ifndef T
#ifndef TT_MULTI_TENSOR_H
#define TT_MULTI_TENSOR_H
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "convert.h"
#include "simd.h"

#define TT_FILE "multi_tensor.h"
#include "each_float.h"

enum {
    TT_MULTI_MOST = 6,
    TT_MULTI_BLOCK = TT_PART(512, 16),
    TT_MULTI_CHUNK = TT_PART(16384, 64)
};

typedef struct Multi Multi;

/* Changes n numbers of the type of computation; returns whether all are finite. */
typedef int (*MultiMap)(void *x, int64_t n, const Scalar *s);

/* Elements [begin, begin + m) of tensor i; `task` numbers the chunks. */
typedef void (*MultiBody)(Multi *multi, int64_t i, int64_t begin, int64_t m,
                          int64_t task);

struct Multi {
    const KernelCall *call;
    const Scalar *scalar;
    int64_t n, tasks;
    int per, stride, counts; /* stride of scalars, from tensor to tensor */
    MultiBody body;
    MultiMap map;
    double *partial;
    int found;
};

TT_INLINE int64_t tt_chunks_of(int64_t numel) {
    return (numel + TT_MULTI_CHUNK - 1) / TT_MULTI_CHUNK;
}

static void tt_multi_range(void *context, int64_t begin, int64_t end) {
    Multi *m = (Multi *)context;
    int64_t i = 0, first = 0; /* the task that tensor i begins with */
    for (int64_t task = begin; task < end; task++) {
        int64_t chunks = tt_chunks_of(m->call->operand[i].numel);
        while (task >= first + chunks) {
            first += chunks;
            chunks = tt_chunks_of(m->call->operand[++i].numel);
        }
        const int64_t at = (task - first) * TT_MULTI_CHUNK;
        const int64_t left = m->call->operand[i].numel - at;
        m->body(m, i, at, left < TT_MULTI_CHUNK ? left : TT_MULTI_CHUNK, task);
    }
}

static Multi tt_multi(const KernelCall *call, MultiBody body) {
    Multi m = {.call = call, .scalar = call->scalar, .body = body};
    m.per = call->kernel->flags & 255;
    m.n = call->operands / m.per;
    for (int64_t i = 0; i < m.n; i++) m.tasks += tt_chunks_of(call->operand[i].numel);
    return m;
}

static void tt_multi_run(Multi *m) {
    if (m->tasks == 0) return;
    int64_t total = 0;
    for (int64_t i = 0; i < m->n; i++) total += m->call->operand[i].numel;
    if (total <= 2 * TT_MULTI_CHUNK) tt_multi_range(m, 0, m->tasks);
    else tt_parallel_for(tt_multi_range, m, m->tasks, 1);
}

/* ---- zeroing, scaling, clamping ---- */

static void tt_zero_body(Multi *m, int64_t i, int64_t begin, int64_t count,
                         int64_t task) {
    const View *v = &m->call->operand[i];
    (void)task;
    memset(v->data + begin * tt_itemsize[v->dtype], 0, count * tt_itemsize[v->dtype]);
}

static int multi_zero_driver(const KernelCall *call) {
    Multi m = tt_multi(call, tt_zero_body);
    tt_multi_run(&m);
    return TT_OK;
}

static void tt_map_body(Multi *m, int64_t i, int64_t begin, int64_t count,
                        int64_t task) {
    char buffer[TT_MULTI_BLOCK * 8] __attribute__((aligned(64)));
    const View *v = &m->call->operand[i];
    const int compute = m->call->compute;
    char *x = v->data + begin * tt_itemsize[v->dtype];
    int finite = 1;
    (void)task;
    for (int64_t at = 0; at < count; at += TT_MULTI_BLOCK) {
        const int64_t n = count - at < TT_MULTI_BLOCK ? count - at : TT_MULTI_BLOCK;
        char *from = x + at * tt_itemsize[v->dtype];
        char *to = v->dtype == compute ? from : buffer;
        if (to == buffer) tt_load[compute][v->dtype](to, from, n, 1);
        finite &= m->map(to, n, m->scalar);
        if (to == buffer) tt_store[compute][v->dtype](from, to, n, 1);
    }
    if (!finite) m->found = 1; /* whoever writes, writes the same */
}

/* Operands: the tensors, the factor, perhaps where to note (with 1) infinity or NaN */
static int multi_scale_driver(const KernelCall *call) {
    const int64_t n = call->scalar[0].i;
    Multi m = {.call = call, .body = tt_map_body, .n = n, .per = 1};
    const View *factor = &call->operand[n];
    Scalar s;
    tt_load[TT_COMPUTE_F64][factor->dtype](&s.f, factor->data, 1, 1);
    m.scalar = &s;
    m.map = call->compute == TT_COMPUTE_F32 ? scale_f32 : scale_f64;
    for (int64_t i = 0; i < n; i++) m.tasks += tt_chunks_of(call->operand[i].numel);
    tt_multi_run(&m);
    if (call->operands > n + 1 && m.found) {
        const View *found = &call->operand[n + 1];
        const double one = 1;
        tt_store[TT_COMPUTE_F64][found->dtype](found->data, &one, 1, 1);
    }
    return TT_OK;
}

/* Operands: the tensors.  Scalars: the least and the largest number that stays. */
static int multi_clamp_driver(const KernelCall *call) {
    Multi m = tt_multi(call, tt_map_body);
    m.map = call->compute == TT_COMPUTE_F32 ? clip_f32 : clip_f64;
    tt_multi_run(&m);
    return TT_OK;
}

/* ---- norms ---- */

static void tt_norm_body(Multi *m, int64_t i, int64_t begin, int64_t count,
                         int64_t task) {
    char buffer[TT_MULTI_BLOCK * 8] __attribute__((aligned(64)));
    const View *v = &m->call->operand[i];
    const int compute = m->call->compute;
    const double order = m->scalar[0].f;
    char *x = v->data + begin * tt_itemsize[v->dtype];
    double total = 0;
    for (int64_t at = 0; at < count; at += TT_MULTI_BLOCK) {
        const int64_t n = count - at < TT_MULTI_BLOCK ? count - at : TT_MULTI_BLOCK;
        char *from = x + at * tt_itemsize[v->dtype];
        if (v->dtype != compute) {
            tt_load[compute][v->dtype](buffer, from, n, 1);
            from = buffer;
        }
        const double part = compute == TT_COMPUTE_F32
                                ? powers_f32((float *)from, n, order)
                                : powers_f64((double *)from, n, order);
        if (isinf(order)) total = total > part || total != total ? total : part;
        else total += part;
    }
    m->partial[task] = total;
}

/* y = (sum |x|^p)^(1 / p) over all tensors; p = infinity: the largest |x|.
   Operands: y, the tensors.  Scalar: p. */
static int multi_norm_driver(const KernelCall *call) {
    const View *y = call->operand;
    const double order = call->scalar[0].f;
    Multi m = {.call = call, .scalar = call->scalar, .body = tt_norm_body,
               .n = call->operands - 1, .per = 1};
    KernelCall tensors = *call; /* without y, as tt_multi_range counts them */
    double total = 0;
    for (int64_t i = 1; i <= m.n; i++) m.tasks += tt_chunks_of(call->operand[i].numel);
    if (m.tasks) {
        m.partial = (double *)malloc((size_t)m.tasks * sizeof(double));
        if (!m.partial) return TT_NO_MEMORY;
        tensors.operand = call->operand + 1;
        m.call = &tensors;
        tt_multi_run(&m);
        for (int64_t k = 0; k < m.tasks; k++) {
            if (!isinf(order)) total += m.partial[k];
            else if (!(total > m.partial[k] || total != total)) total = m.partial[k];
        }
        free(m.partial);
    }
    if (order == 2) total = sqrt(total);
    else if (order != 1 && order != 0 && !isinf(order)) total = pow(total, 1 / order);
    tt_store[TT_COMPUTE_F64][y->dtype](y->data, &total, 1, 1);
    return TT_OK;
}
#endif
#else

/* x *= s[0] */
TT_KERNEL int K(scale)(void *data, int64_t n, const Scalar *s) {
    T *x = (T *)data;
    const T f = (T)s[0].f;
    int64_t finite = 1;
    for (int64_t i = 0; i < n; i++) {
        x[i] *= f;
        finite &= x[i] - x[i] == 0;
    }
    return (int)finite;
}

/* x = min(max(x, s[0]), s[1]), and NaN where x or s[0] is; finite is not looked at */
TT_KERNEL int K(clip)(void *data, int64_t n, const Scalar *s) {
    T *x = (T *)data;
    const T low = (T)s[0].f, high = (T)s[1].f;
    for (int64_t i = 0; i < n; i++) {
        const T y = x[i] < low || low != low ? low : x[i];
        x[i] = y > high ? high : y;
    }
    return 1;
}

/* in double: squares of large gradients overflow in float */
TT_KERNEL double K(powers)(const T *x, int64_t n, double order) {
    double total = 0;
    if (order == 2) {
        _Pragma("omp simd reduction(+ : total)") for (int64_t i = 0; i < n; i++)
            total += (double)x[i] * (double)x[i];
    } else if (order == 1) {
        _Pragma("omp simd reduction(+ : total)") for (int64_t i = 0; i < n; i++)
            total += F(abs)(x[i]);
    } else if (isinf(order)) {
        for (int64_t i = 0; i < n; i++) {
            const double a = F(abs)(x[i]);
            total = total > a || total != total ? total : a;
        }
    } else {
        for (int64_t i = 0; i < n; i++)
            total += order == 0 ? x[i] != 0 : pow(F(abs)(x[i]), order);
    }
    return total;
}
#endif
