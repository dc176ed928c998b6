/* The neighbours of half types: s[0].i is the dtype, whose bits count one further. */
#ifndef TT_NEXTAFTER_H
#define TT_NEXTAFTER_H
#include "half.h"
#include "loops.h"

TT_INLINE float tt_nextafter_half(float a, float b, int bfloat) {
    const uint16_t h = bfloat ? bf16_of_f32(a) : f16_of_f32(a);
    const uint16_t zero = b < 0 ? 0x8001 : 1;
    const uint16_t next = a == 0 ? zero : (b > a) == (a > 0) ? h + 1 : h - 1;
    if (a != a || b != b) return NAN;
    if (a == b) return b;
    return bfloat ? f32_of_bf16(next) : f32_of_f16(next);
}
TT_LOOP2(TT_COLD, nextafter_half_f32, float, float, a, b, TT_S0,
         tt_nextafter_half(a, b, s[0].i == TT_BF16))
#endif
