/* Cells of recurrent layers, once the products with the weights are made: one step of
   `rows` sequences with `n` units each.

   lstm  i f o = sigmoid, g = tanh of their parts of the gates;
         c' = f c + i g,  h' = o tanh(c')
   gru   r z = sigmoid(x + s),  m = tanh(x + r q), q = s + b;  h' = m + z (h - m)
   rnn   h' = tanh or relu of the gates

   The state (h, c) is replaced.  What backward needs of it before the step is kept. */
#ifndef T
#ifndef TT_RECURRENT_H
#define TT_RECURRENT_H
#include "call.h"
#include "simd.h"

#define TT_FILE "recurrent.h"
#include "each_float.h"

/* ---- the driver ---- */

typedef void (*CellLoop)(char **p, int64_t rows, int64_t n, const Scalar *s);

enum { TT_CELL_OPERANDS = 8, TT_CELL_GRAIN = TT_PART(4096, 16) };

/* Operands have rows of their own widths; a single row serves all.
   Those that a call does not have are NULL for the loop. */
static void tt_cells_range(void *context, int64_t begin, int64_t end) {
    const KernelCall *call = (const KernelCall *)context;
    char *pointer[TT_CELL_OPERANDS] = {0};
    for (int k = 0; k < call->operands; k++) {
        const View *v = &call->operand[k];
        const int64_t width = v->ndim > 1 && v->shape[0] > 1 ? v->shape[1] : 0;
        pointer[k] = v->data + begin * width * tt_itemsize[v->dtype];
    }
    ((CellLoop)call->kernel->function[call->compute])(
        pointer, end - begin, call->operand[0].shape[1], call->scalar);
}

/* operand 0: (rows, n) */
static int cells_driver(const KernelCall *call) {
    const View *v = &call->operand[0];
    const int64_t rows = v->shape[0], n = v->shape[1];
    if (rows == 0 || n == 0) return TT_OK;
    const int64_t grain = n < TT_CELL_GRAIN ? TT_CELL_GRAIN / n : 1;
    if (rows <= grain) tt_cells_range((void *)call, 0, rows);
    else tt_parallel_for(tt_cells_range, (void *)call, rows, grain);
    return TT_OK;
}
#endif
#else

#define EACH(j, n) _Pragma("omp simd") for (int64_t j = 0; j < n; j++)

/* ---- lstm ---- */

/* p: h, c, y, gates[, h before, c before] */
TT_KERNEL void K(lstm_forward)(char **p, int64_t rows, int64_t n, const Scalar *s) {
    T *h = (T *)p[0], *c = (T *)p[1], *y = (T *)p[2], *gates = (T *)p[3];
    T *old_h = (T *)p[4], *old_c = (T *)p[5];
    (void)s;
    for (; rows--; h += n, c += n, y += n, gates += 4 * n) {
        if (old_h) {
            for (int64_t j = 0; j < n; j++) old_h[j] = h[j];
            for (int64_t j = 0; j < n; j++) old_c[j] = c[j];
            old_h += n, old_c += n;
        }
        EACH(j, n) {
            const T i = F(sigmoid)(gates[j]), f = F(sigmoid)(gates[n + j]);
            gates[j] = i;
            gates[n + j] = f;
            const T g = F(tanh)(gates[2 * n + j]);
            gates[2 * n + j] = g;
            c[j] = f * c[j] + i * g;
        }
        EACH(j, n) {
            const T o = F(sigmoid)(gates[3 * n + j]);
            gates[3 * n + j] = o;
            y[j] = h[j] = o * F(tanh)(c[j]);
        }
    }
}

/* p: gc, g(gates), gy, gates, c before, gh */
TT_KERNEL void K(lstm_backward)(char **p, int64_t rows, int64_t n, const Scalar *s) {
    T *gc = (T *)p[0], *to = (T *)p[1];
    const T *gy = (const T *)p[2], *gates = (const T *)p[3], *old = (const T *)p[4];
    const T *gh = (const T *)p[5];
    (void)s;
    for (; rows--; gc += n, to += 4 * n, gy += n, gates += 4 * n, old += n, gh += n) {
        EACH(j, n) {
            const T i = gates[j], f = gates[n + j], g = gates[2 * n + j];
            const T o = gates[3 * n + j], t = F(tanh)(f * old[j] + i * g);
            const T dh = gy[j] + gh[j], dc = gc[j] + dh * o * (1 - t * t);
            to[j] = dc * g * i * (1 - i);
            to[n + j] = dc * old[j] * f * (1 - f);
            to[2 * n + j] = dc * i * (1 - g * g);
            to[3 * n + j] = dh * t * o * (1 - o);
            gc[j] = dc * f;
        }
    }
}

/* ---- gru ---- */

/* p: h, y, gates, q, h before, s, b.  The last two outputs may be y, if nobody wants
   them. */
TT_KERNEL void K(gru_forward)(char **p, int64_t rows, int64_t n, const Scalar *scalar) {
    T *h = (T *)p[0], *y = (T *)p[1], *x = (T *)p[2], *kept = (T *)p[3];
    T *old = (T *)p[4];
    const T *s = (const T *)p[5], *b = (const T *)p[6];
    (void)scalar;
    for (; rows--; h += n, y += n, x += 3 * n, s += 3 * n, kept += n, old += n) {
        for (int64_t j = 0; j < n; j++) kept[j] = s[2 * n + j] + b[2 * n + j];
        for (int64_t j = 0; j < n; j++) old[j] = h[j];
        EACH(j, n) {
            const T r = F(sigmoid)(x[j] + (s[j] + b[j]));
            const T z = F(sigmoid)(x[n + j] + (s[n + j] + b[n + j]));
            const T q = s[2 * n + j] + b[2 * n + j];
            const T m = F(tanh)(x[2 * n + j] + r * q);
            x[j] = r;
            x[n + j] = z;
            x[2 * n + j] = m;
            y[j] = h[j] = m + z * (h[j] - m);
        }
    }
}

/* p: gh, g(x), g(s), gy, gates, q, h before */
TT_KERNEL void K(gru_backward)(char **p, int64_t rows, int64_t n, const Scalar *s) {
    T *gh = (T *)p[0], *gx = (T *)p[1], *gs = (T *)p[2];
    const T *gy = (const T *)p[3], *gates = (const T *)p[4], *q = (const T *)p[5];
    const T *old = (const T *)p[6];
    (void)s;
    for (; rows--; gh += n, gx += 3 * n, gs += 3 * n, gy += n, gates += 3 * n, q += n,
                   old += n) {
        EACH(j, n) {
            const T r = gates[j], z = gates[n + j], m = gates[2 * n + j];
            const T dh = gy[j] + gh[j], dm = dh * (1 - z) * (1 - m * m);
            gs[j] = gx[j] = dm * q[j] * r * (1 - r);
            gs[n + j] = gx[n + j] = dh * (old[j] - m) * z * (1 - z);
            gx[2 * n + j] = dm;
            gs[2 * n + j] = dm * r;
            gh[j] = dh * z;
        }
    }
}

/* ---- rnn ---- */

/* p: h, y[, h before]: y holds the gates */
#define PLAIN(name, F_OF_X)                                                            \
    TT_KERNEL void K(name)(char **p, int64_t rows, int64_t n, const Scalar *s) {       \
        T *h = (T *)p[0], *y = (T *)p[1], *old = (T *)p[2];                            \
        (void)s;                                                                       \
        if (old)                                                                       \
            for (int64_t j = 0; j < rows * n; j++) old[j] = h[j];                      \
        EACH(j, rows * n) {                                                            \
            const T x = y[j];                                                          \
            y[j] = h[j] = F_OF_X;                                                      \
        }                                                                              \
    }
PLAIN(rnn_tanh_forward, F(tanh)(x))
PLAIN(rnn_relu_forward, x < 0 ? 0 : x)

/* p: g(gates), gy, y, gh */
#define PLAIN_BACKWARD(name, SLOPE)                                                    \
    TT_KERNEL void K(name)(char **p, int64_t rows, int64_t n, const Scalar *s) {       \
        T *to = (T *)p[0];                                                             \
        const T *gy = (const T *)p[1], *out = (const T *)p[2], *gh = (const T *)p[3];  \
        (void)s;                                                                       \
        EACH(j, rows * n) {                                                            \
            const T y = out[j];                                                        \
            to[j] = (gy[j] + gh[j]) * (SLOPE);                                         \
        }                                                                              \
    }
PLAIN_BACKWARD(rnn_tanh_backward, 1 - y * y)
PLAIN_BACKWARD(rnn_relu_backward, y > 0 ? (T)1 : (T)0)

#undef EACH
#undef PLAIN
#undef PLAIN_BACKWARD
#endif
