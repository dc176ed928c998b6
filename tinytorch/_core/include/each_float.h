/* Includes TT_FILE once with T = float and once with T = double, so that a family is
   written once.  No include guard: every family comes here again.

   T type   U, S its bits, unsigned and signed   TT_SINGLE 1 for float, 0 for double
   K(f) kernel f_f32 or f_f64    F(f) inline maths tt_f_f32 or tt_f_f64 (simd.h)
   L(f) the C library's ff or f  C(a, b) the constant a for float, b for double */
#define T float
#define U uint32_t
#define S int32_t
#define TT_SINGLE 1
#define K(f) f##_f32
#define F(f) tt_##f##_f32
#define L(name) name##f
#define C(a, b) a
#include TT_FILE
#undef T
#undef U
#undef S
#undef TT_SINGLE
#undef K
#undef F
#undef L
#undef C

#define T double
#define U uint64_t
#define S int64_t
#define TT_SINGLE 0
#define K(f) f##_f64
#define F(f) tt_##f##_f64
#define L(name) name
#define C(a, b) b
#include TT_FILE
#undef T
#undef U
#undef S
#undef TT_SINGLE
#undef K
#undef F
#undef L
#undef C
#undef TT_FILE
