/* Predicates and comparisons: 0 or 1 as uint8_t, whatever type is compared. */
#ifndef T
#ifndef TT_ZIP_COMPARE_H
#define TT_ZIP_COMPARE_H
#include "loops.h"
#define TT_FILE "zip_compare.h"
#include "each_float.h"

INT_TEST(isnan, 0 * x)
INT_TEST(isinf, 0 * x)
INT_TEST(isposinf, 0 * x)
INT_TEST(isneginf, 0 * x)
INT_TEST(isfinite, 0 * x + 1)
INT_TEST(signbit, x < 0)
INT_TEST(logical_not, x == 0)

INT_COMPARE(eq, a == b)
INT_COMPARE(ne, a != b)
INT_COMPARE(lt, a < b)
INT_COMPARE(le, a <= b)
INT_COMPARE(gt, a > b)
INT_COMPARE(ge, a >= b)
INT_COMPARE(logical_and, (a != 0) & (b != 0))
INT_COMPARE(logical_or, (a | b) != 0)
INT_COMPARE(logical_xor, (a != 0) ^ (b != 0))
/* in float32, as PyTorch compares integers */
INT_COMPARE(isclose, (a == b) | (fabsf((float)a - (float)b) <=
                                 (float)s[1].f + fabsf((float)s[0].f * (float)b)))
#endif
#else

TEST(isnan, x != x)
TEST(isinf, F(abs)(x) == (T)INFINITY)
TEST(isposinf, x == (T)INFINITY)
TEST(isneginf, x == -(T)INFINITY)
TEST(isfinite, F(abs)(x) < (T)INFINITY)
TEST(signbit, F(bits)(x) >> (8 * sizeof(T) - 1))
TEST(logical_not, x == 0)

COMPARE(eq, a == b)
COMPARE(ne, a != b)
COMPARE(lt, a < b)
COMPARE(le, a <= b)
COMPARE(gt, a > b)
COMPARE(ge, a >= b)
COMPARE(logical_and, (a != 0) & (b != 0))
COMPARE(logical_or, (a != 0) | (b != 0))
COMPARE(logical_xor, (a != 0) ^ (b != 0))

/* s0 = rtol, s1 = atol, s[2].i = equal_nan; infinities are close only to themselves */
COMPARE_S2(isclose, (a == b) | ((s[2].i != 0) & (a != a) & (b != b)) |
                        ((F(abs)(a - b) < (T)INFINITY) &
                         (F(abs)(a - b) <= s1 + F(abs)(s0 * b))))
#endif
