/* float16 and bfloat16 to float and back, rounding to nearest even. */
#ifndef TT_HALF_H
#define TT_HALF_H
#include <string.h>

#include "kernel.h"

TT_INLINE float f32_of_bits(uint32_t bits) { float f; memcpy(&f, &bits, 4); return f; }
TT_INLINE uint32_t bits_of_f32(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

TT_INLINE float f32_of_bf16(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

TT_INLINE uint16_t bf16_of_f32(float f) {
    uint32_t bits = bits_of_f32(f);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return f != f ? 0x7fc0 : (uint16_t)rounded;
}

#if defined(__FLT16_MANT_DIG__)
typedef _Float16 tt_half;
TT_INLINE float f32_of_f16(uint16_t h) {
    tt_half x;
    memcpy(&x, &h, 2);
    return (float)x;
}
TT_INLINE uint16_t f16_of_f32(float f) {
    tt_half x = (tt_half)f; uint16_t h; memcpy(&h, &x, 2); return h;
}
#else
/* Compilers without _Float16: exact scaling by powers of two does the work. */
TT_INLINE float f32_of_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    float scaled = f32_of_bits(rest << 13) * 0x1p112f;
    if (rest >= 0x7c00) scaled = f32_of_bits((rest << 13) | 0x7f800000);
    return f32_of_bits(bits_of_f32(scaled) | sign);
}
TT_INLINE uint16_t f16_of_f32(float f) {
    uint32_t bits = bits_of_f32(f), sign = (bits >> 16) & 0x8000,
        rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) {  /* below the smallest normal: let addition round */
        float shifted = f32_of_bits(rest) + 0.5f;
        return (uint16_t)(sign | (bits_of_f32(shifted) - bits_of_f32(0.5f)));
    }
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13));
}
#endif
#endif
