/* Elements between dtypes, and between memory with gaps and memory without.

   cast:  n elements of one dtype  ->  n of another, both contiguous
   load:  n elements of a dtype, `step` elements apart  ->  contiguous compute values
   store: contiguous compute values  ->  n elements of a dtype, `step` elements apart
   move:  load and store that leave the bytes as they are */
#ifndef TT_CONVERT_H
#define TT_CONVERT_H
#include "half.h"

typedef void (*Cast)(void *restrict to, const void *restrict from, int64_t n);
typedef void (*Load)(void *to, const void *from, int64_t n, int64_t step);
typedef void (*Store)(void *to, const void *from, int64_t n, int64_t step);

extern const Cast tt_cast[10][10];  /* [dtype from][dtype to] */
extern const Load tt_load[3][10];   /* [compute type][dtype] */
extern const Store tt_store[3][10];
extern const Load tt_move_in[9];    /* [bytes of an element] */
extern const Store tt_move_out[9];
#endif
