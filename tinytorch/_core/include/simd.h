/* Inline maths that GCC vectorises inside TT_KERNEL loops: tt_exp_f32, tt_exp_f64, ...

   Every function is branch-free: both sides of a choice are computed and one is
   selected, in the form `a < b ? a : b` that is one machine instruction and lets NaN
   through.  Integers are read from and written to the exponent field only with shifts
   that AVX2 has for 64-bit lanes, so float and double share one text.
   simd_exp.h: exp, log and what is made of them; simd_trig.h: circular functions. */
#ifndef TT_SIMD_H
#define TT_SIMD_H
#include <math.h>
#include "kernel.h"

/* A bound the compiler does not know: clamping to a visible constant makes GCC split
   the loop's body into the constant's path and the rest, and select between them. */
TT_INLINE float tt_hidden(float bound) {
    __asm__("" : "+m"(bound));
    return bound;
}

typedef union { float x; uint32_t u; } tt_pun_f32;
typedef union { double x; uint64_t u; } tt_pun_f64;

#define TT_FILE "simd_exp.h"
#include "each_float.h"
#define TT_FILE "simd_trig.h"
#include "each_float.h"
#endif
