/* Binary arithmetic: p[0] = f(p[1], p[2]) = f(a, b), in PyTorch's definitions.
   Integer sums and products wrap; integer division never traps: the caller asks
   any_zero_i64 first and raises, and the smallest integer by -1 wraps. */
#ifndef T
#ifndef TT_ZIP_ARITHMETIC_H
#define TT_ZIP_ARITHMETIC_H
#include "loops.h"
#define TT_FILE "zip_arithmetic.h"
#include "each_float.h"

INT_ZIP(add, (uint64_t)a + (uint64_t)s[0].i * (uint64_t)b)
INT_ZIP(sub, (uint64_t)a - (uint64_t)s[0].i * (uint64_t)b)
INT_ZIP(rsub, (uint64_t)b - (uint64_t)s[0].i * (uint64_t)a)
INT_ZIP(mul, (uint64_t)a * (uint64_t)b)
INT_ZIP(maximum, a > b ? a : b)
INT_ZIP(minimum, a < b ? a : b)
INT_ZIP(bitwise_and, a & b)
INT_ZIP(bitwise_or, a | b)
INT_ZIP(bitwise_xor, a ^ b)
/* An amount outside the word leaves 0 to the left, the sign to the right; narrower
   types agree after narrowing. */
INT_ZIP(left_shift, (uint64_t)b > 63 ? 0 : (uint64_t)a << (b & 63))
INT_ZIP(right_shift, a >> ((uint64_t)b > 63 ? 63 : b))

TT_INLINE int64_t tt_trunc_divide(int64_t a, int64_t b) {
    return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}
TT_INLINE int64_t tt_fmod(int64_t a, int64_t b) {
    return b == 0 || b == -1 ? 0 : a % b;
}
INT_ZIP_COLD(trunc_divide, tt_trunc_divide(a, b))
INT_ZIP_COLD(fmod, tt_fmod(a, b))
/* rounding down differs where a remainder is left and the signs differ */
INT_ZIP_COLD(floor_divide,
             tt_trunc_divide(a, b) - (tt_fmod(a, b) != 0 && (a < 0) != (b < 0)))
INT_ZIP_COLD(remainder,
             tt_fmod(a, b) + (tt_fmod(a, b) != 0 && (a < 0) != (b < 0) ? b : 0))

TT_INLINE int64_t tt_pow_i64(int64_t a, int64_t b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    uint64_t y = 1, square = (uint64_t)a;
    for (; b; b >>= 1, square *= square) y = b & 1 ? y * square : y;
    return (int64_t)y;
}
INT_ZIP_COLD(pow, tt_pow_i64(a, b))

TT_INLINE uint64_t tt_gcd(int64_t a, int64_t b) {
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    uint64_t y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    while (y) {
        const uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}
TT_INLINE int64_t tt_lcm(int64_t a, int64_t b) {
    const uint64_t divisor = tt_gcd(a, b);
    if (divisor == 0) return 0;
    const uint64_t y = (uint64_t)tt_trunc_divide(a, (int64_t)divisor) * (uint64_t)b;
    return (int64_t)((int64_t)y < 0 ? 0 - y : y);
}
INT_ZIP_COLD(gcd, tt_gcd(a, b))
INT_ZIP_COLD(lcm, tt_lcm(a, b))

/* Whether any divisor is zero: asked before an integer division. */
TT_KERNEL int any_zero_i64(const int64_t *x, int64_t n) {
    int64_t found = 0;
    _Pragma("omp simd reduction(| : found)") for (int64_t i = 0; i < n; i++)
        found |= x[i] == 0;
    return found != 0;
}
#endif
#else

ZIP_S1(add, a + s0 * b)
ZIP_S1(sub, a - s0 * b)
ZIP_S1(rsub, b - s0 * a)
ZIP(mul, a * b)
ZIP(div, a / b)
ZIP(trunc_divide, L(trunc)(a / b))

/* NaN if either is NaN; fmax and fmin take the other one instead */
ZIP(maximum, a > b || a != a ? a : b)
ZIP(minimum, a < b || a != a ? a : b)
ZIP(fmax, a >= b || b != b ? a : b)
ZIP(fmin, a <= b || b != b ? a : b)
ZIP(copysign, F(copysign)(a, b))
ZIP(heaviside, a == 0 ? b : a > 0 ? 1 : 0)
ZIP(ldexp, a * F(exp2)(b))
ZIP_COLD(nextafter, L(nextafter)(a, b))
ZIP_COLD(pow, L(pow)(a, b))
#if TT_SINGLE
/* squares of float neither overflow nor vanish in double; infinity beats NaN */
ZIP(hypot, F(abs)(a) == INFINITY || F(abs)(b) == INFINITY
               ? INFINITY
               : (float)sqrt((double)a * a + (double)b * b))
ZIP(atan2, F(atan2)(a, b))
#else
ZIP_COLD(hypot, hypot(a, b))
ZIP_COLD(atan2, atan2(a, b))
#endif

/* two equal infinities have no difference */
TT_INLINE T F(logaddexp)(T a, T b) {
    const T top = a > b || a != a ? a : b;
    const T y = top + F(log1p)(F(exp)(-F(abs)(a - b)));
    return a == b && F(abs)(a) == (T)INFINITY ? a : y;
}
TT_INLINE T F(logaddexp2)(T a, T b) {
    const T top = a > b || a != a ? a : b;
    const T y = top + F(log1p)(F(exp2)(-F(abs)(a - b))) * (T)(1 / M_LN2);
    return a == b && F(abs)(a) == (T)INFINITY ? a : y;
}
ZIP(logaddexp, F(logaddexp)(a, b))
ZIP(logaddexp2, F(logaddexp2)(a, b))
ZIP(xlogy, b != b ? b : a == 0 ? 0 : a * F(log)(b))
ZIP(xlog1py, b != b ? b : a == 0 ? 0 : a * F(log1p)(b))

/* ---- remainders ---- */

/* The remainder that has the divisor's sign, and the quotient rounded down, made from
   C's remainder in PyTorch's way. */
TT_INLINE T F(remainder_from)(T rest, T b) {
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}
TT_INLINE T F(floor_divide_from)(T rest, T a, T b) {
    const T y = (a - rest) / b - (rest != 0 && (b < 0) != (rest < 0));
    const T below = L(floor)(y), rounded = below + (y - below > (T)0.5);
    const T whole = y == 0 ? F(copysign)(0, a / b) : rounded;
    return b == 0 ? a / b : whole;
}

#if TT_SINGLE
/* Exact for quotients below 2^28, whose product with a float fits a double */
TT_INLINE float tt_fmod_core(float a, float b) {
    const double whole = trunc((double)a / b);
    return tt_copysign_f32((float)(a - whole * b), a);
}
TT_KERNEL int tt_fmod_applies(const float *a, const float *b, int64_t n) {
    int32_t outside = 0;
    _Pragma("omp simd reduction(| : outside)") for (int64_t i = 0; i < n; i++)
        outside |= !(tt_abs_f32(a[i]) < 0x1p28f * tt_abs_f32(b[i])) |
                   !(tt_abs_f32(b[i]) < 0x1p90f);
    return !outside;
}
#define DIVISION(name, vector, library)                                                \
    TT_LOOP2(TT_KERNEL, name##_block_f32, float, float, a, b, TT_S0, vector)           \
    TT_LOOP2(TT_COLD, name##_library_f32, float, float, a, b, TT_S0, library)          \
    TT_COLD void name##_f32(char **p, int64_t n, const Scalar *s) {                    \
        for (int64_t start = 0; start < n; start += TT_BLOCK) {                        \
            const int64_t m = n - start < TT_BLOCK ? n - start : TT_BLOCK;             \
            const int64_t skip = start * (int64_t)sizeof(float);                       \
            char *q[3] = {p[0] + skip, p[1] + skip, p[2] + skip};                      \
            (tt_fmod_applies((const float *)q[1], (const float *)q[2], m)              \
                 ? name##_block_f32 : name##_library_f32)(q, m, s);                    \
        }                                                                              \
    }
#else
#define DIVISION(name, vector, library)                                                \
    TT_LOOP2(TT_COLD, name##_f64, double, double, a, b, TT_S0, library)
#endif
DIVISION(fmod, tt_fmod_core(a, b), L(fmod)(a, b))
DIVISION(remainder, F(remainder_from)(tt_fmod_core(a, b), b),
         F(remainder_from)(L(fmod)(a, b), b))
DIVISION(floor_divide, F(floor_divide_from)(tt_fmod_core(a, b), a, b),
         F(floor_divide_from)(L(fmod)(a, b), a, b))
#undef DIVISION
#endif
