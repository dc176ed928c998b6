/* Element-wise loops in one line each.

   MAP(name, y of x)          ZIP(name, y of a and b)       GRAD(name, gx of gy and x)
   TEST(name, 0/1 of x)       COMPARE(name, 0/1 of a and b)
   define name_f32 and name_f64 in a file read through each_float.h; MAP_S1, ZIP_S2, ...
   also see the scalars s0, s1, s2 as T.  INT_MAP, INT_ZIP, ... define name_i64, where
   scalars are read as s[0].i.  The ..._COLD forms are for expressions that call the C
   library: no loop to vectorise, so no clones.

   The simd pragma promises only that different elements are independent: an output may
   be one of the inputs, and unlike `restrict` it stays right then. */
#ifndef TT_LOOPS_H
#define TT_LOOPS_H
#include "simd.h"

#define TT_COLD static __attribute__((unused))

#define TT_ITEMS(...)                                                                  \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) { __VA_ARGS__ }

#define TT_LOOP1(KIND, NAME, R, A, x, SETUP, ...)                                      \
    KIND void NAME(char **p, int64_t n, const Scalar *s) {                             \
        R *out = (R *)p[0];                                                            \
        const A *in1 = (const A *)p[1];                                                \
        (void)s;                                                                       \
        SETUP TT_ITEMS(const A x = in1[i]; out[i] = (R)(__VA_ARGS__);)                 \
    }
#define TT_LOOP2(KIND, NAME, R, A, a, b, SETUP, ...)                                   \
    KIND void NAME(char **p, int64_t n, const Scalar *s) {                             \
        R *out = (R *)p[0];                                                            \
        const A *in1 = (const A *)p[1], *in2 = (const A *)p[2];                        \
        (void)s;                                                                       \
        SETUP TT_ITEMS(const A a = in1[i], b = in2[i]; out[i] = (R)(__VA_ARGS__);)     \
    }
#define TT_LOOP3(KIND, NAME, R, A, a, b, c, SETUP, ...)                                \
    KIND void NAME(char **p, int64_t n, const Scalar *s) {                             \
        R *out = (R *)p[0];                                                            \
        const A *in1 = (const A *)p[1], *in2 = (const A *)p[2], *in3 = (const A *)p[3];\
        (void)s;                                                                       \
        SETUP TT_ITEMS(const A a = in1[i], b = in2[i], c = in3[i];                     \
                       out[i] = (R)(__VA_ARGS__);)                                     \
    }

#define TT_S0
#define TT_S1 const T s0 = (T)s[0].f;
#define TT_S2 TT_S1 const T s1 = (T)s[1].f;
#define TT_S3 TT_S2 const T s2 = (T)s[2].f;

#define MAP(name, ...) TT_LOOP1(TT_KERNEL, K(name), T, T, x, TT_S0, __VA_ARGS__)
#define MAP_S1(name, ...) TT_LOOP1(TT_KERNEL, K(name), T, T, x, TT_S1, __VA_ARGS__)
#define MAP_S2(name, ...) TT_LOOP1(TT_KERNEL, K(name), T, T, x, TT_S2, __VA_ARGS__)
#define MAP_S3(name, ...) TT_LOOP1(TT_KERNEL, K(name), T, T, x, TT_S3, __VA_ARGS__)
#define MAP_COLD(name, ...) TT_LOOP1(TT_COLD, K(name), T, T, x, TT_S0, __VA_ARGS__)
#define TEST(name, ...) TT_LOOP1(TT_KERNEL, K(name), uint8_t, T, x, TT_S0, __VA_ARGS__)

#define ZIP(name, ...) TT_LOOP2(TT_KERNEL, K(name), T, T, a, b, TT_S0, __VA_ARGS__)
#define ZIP_S1(name, ...) TT_LOOP2(TT_KERNEL, K(name), T, T, a, b, TT_S1, __VA_ARGS__)
#define ZIP_COLD(name, ...) TT_LOOP2(TT_COLD, K(name), T, T, a, b, TT_S0, __VA_ARGS__)
#define COMPARE(name, ...)                                                             \
    TT_LOOP2(TT_KERNEL, K(name), uint8_t, T, a, b, TT_S0, __VA_ARGS__)
#define COMPARE_S2(name, ...)                                                          \
    TT_LOOP2(TT_KERNEL, K(name), uint8_t, T, a, b, TT_S2, __VA_ARGS__)

#define GRAD(name, ...)                                                                \
    TT_LOOP2(TT_KERNEL, K(name##_backward), T, T, gy, x, TT_S0, __VA_ARGS__)
#define GRAD_OF_Y(name, ...)                                                           \
    TT_LOOP2(TT_KERNEL, K(name##_backward), T, T, gy, y, TT_S0, __VA_ARGS__)
#define GRAD_S1(name, ...)                                                             \
    TT_LOOP2(TT_KERNEL, K(name##_backward), T, T, gy, x, TT_S1, __VA_ARGS__)
#define GRAD_S2(name, ...)                                                             \
    TT_LOOP2(TT_KERNEL, K(name##_backward), T, T, gy, x, TT_S2, __VA_ARGS__)
#define GRAD_S3(name, ...)                                                             \
    TT_LOOP2(TT_KERNEL, K(name##_backward), T, T, gy, x, TT_S3, __VA_ARGS__)
#define GRAD_COLD_S1(name, ...)                                                        \
    TT_LOOP2(TT_COLD, K(name##_backward), T, T, gy, x, TT_S1, __VA_ARGS__)

#define INT_MAP(name, ...)                                                             \
    TT_LOOP1(TT_KERNEL, name##_i64, int64_t, int64_t, x, TT_S0, __VA_ARGS__)
#define INT_TEST(name, ...)                                                            \
    TT_LOOP1(TT_KERNEL, name##_i64, uint8_t, int64_t, x, TT_S0, __VA_ARGS__)
#define INT_ZIP(name, ...)                                                             \
    TT_LOOP2(TT_KERNEL, name##_i64, int64_t, int64_t, a, b, TT_S0, __VA_ARGS__)
#define INT_ZIP_COLD(name, ...)                                                        \
    TT_LOOP2(TT_COLD, name##_i64, int64_t, int64_t, a, b, TT_S0, __VA_ARGS__)
#define INT_COMPARE(name, ...)                                                         \
    TT_LOOP2(TT_KERNEL, name##_i64, uint8_t, int64_t, a, b, TT_S0, __VA_ARGS__)

/* A function whose vector form holds for |x| <= limit only: blocks with an element
   beyond it, or with infinity or NaN, go through the C library instead. */
#define TT_BLOCK 256
#define MAP_BOUNDED(name, limit, vector, library)                                      \
    TT_LOOP1(TT_KERNEL, K(name##_block), T, T, x, TT_S0, vector)                       \
    TT_LOOP1(TT_COLD, K(name##_library), T, T, x, TT_S0, library)                      \
    TT_COLD void K(name)(char **p, int64_t n, const Scalar *s) {                       \
        for (int64_t start = 0; start < n; start += TT_BLOCK) {                        \
            const int64_t m = n - start < TT_BLOCK ? n - start : TT_BLOCK;             \
            const int64_t skip = start * (int64_t)sizeof(T);                           \
            char *q[2] = {p[0] + skip, p[1] + skip};                                   \
            (F(within)((const T *)q[1], m, (T)(limit))                                 \
                 ? K(name##_block) : K(name##_library))(q, m, s);                      \
        }                                                                              \
    }

#define TT_FILE "within.h"
#include "each_float.h"
#endif
