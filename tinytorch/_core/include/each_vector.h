/* Includes TT_FILE for each type that matrix products and convolutions calculate in: T,
   K(name), VL lanes of 32 bytes, MASK an integer as wide as T, and whether these are
   INTEGERS, whose multiplication is no vector instruction.  No include guard. */
#define INTEGERS 0
#define T float
#define VL 8
#define MASK int32_t
#define K(name) name##_f32
#include TT_FILE
#undef T
#undef VL
#undef MASK
#undef K

#define T double
#define VL 4
#define MASK int64_t
#define K(name) name##_f64
#include TT_FILE
#undef T
#undef K

#undef INTEGERS
#define INTEGERS 1
#define T uint64_t /* integers wrap around; unsigned, so that this is defined */
#define K(name) name##_i64
#include TT_FILE
#undef T
#undef VL
#undef MASK
#undef K
#undef INTEGERS
#undef TT_FILE
