/* Includes TT_FILE once for each type that kernels calculate in: T, an integer S as
   wide, K(f) kernel f_f32, f_f64 or f_i64, TT_LOWEST the least value.
   No include guard. */
#define T float
#define S int32_t
#define K(f) f##_f32
#define TT_LOWEST (-__builtin_inff())
#include TT_FILE
#undef T
#undef S
#undef K
#undef TT_LOWEST

#define T double
#define S int64_t
#define K(f) f##_f64
#define TT_LOWEST (-__builtin_inf())
#include TT_FILE
#undef T
#undef K
#undef TT_LOWEST

#define T int64_t
#define K(f) f##_i64
#define TT_LOWEST INT64_MIN
#include TT_FILE
#undef T
#undef S
#undef K
#undef TT_LOWEST
#undef TT_FILE
