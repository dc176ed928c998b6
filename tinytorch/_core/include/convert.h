/* Blocks of elements between the dtypes in memory and the three compute types.

   load:  n elements of a dtype, `step` elements apart  ->  contiguous compute values
   store: contiguous compute values  ->  n elements of a dtype, `step` elements apart */
#ifndef TT_CONVERT_H
#define TT_CONVERT_H
#include "half.h"

typedef void (*Load)(void *to, const void *from, int64_t n, int64_t step);
typedef void (*Store)(void *to, const void *from, int64_t n, int64_t step);

extern const Load tt_load[3][10];   /* [compute type][dtype] */
extern const Store tt_store[3][10];
#endif
