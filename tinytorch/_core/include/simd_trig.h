/* Circular functions and their inverses (part of simd.h; see each_float.h).

   sin, cos, tan:  x = n pi/2 + r, |r| <= pi/4, for |x| <= TRIG_LIMIT; beyond it, and
   for infinities and NaN, the caller takes the C library's.  A float is reduced in
   double. */
#define TRIG_LIMIT 1e6
#define PI_HI C(0x1.921fb6p+1f, 0x1.921fb54442d18p+1)
#define PI_LO C(-0x1.777a5cp-24f, 0x1.1a62633145c07p-53)

/* r in two parts, and the lowest bits of n in *quadrant */
TT_INLINE T F(trig_split)(T x, U *quadrant, T *tail) {
    const double round = 0x1.8p52, y = x, t = y * 0x1.45f306dc9c883p-1 + round;
    const double n = t - round;
    const double near = (y - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34;
    const double rest = TT_SINGLE ? 0 : n * 0x1.3198a2e037073p-69;
    const T r = (T)(near - rest);
    *quadrant = (U)tt_bits_f64(t);
    *tail = (T)((near - r) - rest);
    return r;
}

TT_INLINE T F(sin_core)(T r, T z) {
#if TT_SINGLE
    T q = -1.95169763e-4f;
    q = q * z + 8.33217613e-3f;
    q = q * z - 1.66666552e-1f;
#else
    T q = -7.58666700020830612e-13;
    q = q * z + 1.60585311079428048e-10;
    q = q * z - 2.50521062292225954e-8;
    q = q * z + 2.75573192193298801e-6;
    q = q * z - 1.9841269841265053e-4;
    q = q * z + 8.33333333333333149e-3;
    q = q * z - 1.66666666666666667e-1;
#endif
    return r + r * (z * q);
}

TT_INLINE T F(cos_core)(T z) {
#if TT_SINGLE
    T q = 2.44380899e-5f;
    q = q * z - 1.38873642e-3f;
    q = q * z + 4.16666456e-2f;
#else
    T q = 4.74585515725827149e-14;
    q = q * z - 1.14704606034802624e-11;
    q = q * z + 2.08767557892874083e-9;
    q = q * z - 2.75573192213976614e-7;
    q = q * z + 2.48015873015846398e-5;
    q = q * z - 1.38888888888888879e-3;
    q = q * z + 4.16666666666666667e-2;
#endif
    const T half = (T)0.5 * z, w = 1 - half;
    return w + (((1 - w) - half) + z * z * q);
}

/* sin(x + shift pi/2) */
TT_INLINE T F(sin_shifted)(T x, U shift) {
    U n;
    T tail;
    const T r = F(trig_split)(x, &n, &tail), z = r * r;
    n += shift;
    const T y = n & 1 ? F(cos_core)(z) : F(sin_core)(r, z);
    return F(float)(F(bits)(y) ^ (n & 2) << (sizeof(T) * 8 - 2));
}
/* -0 is the one argument whose sign the reduction loses */
TT_INLINE T F(sin)(T x) { return x == 0 ? x : F(sin_shifted)(x, 0); }
TT_INLINE T F(cos)(T x) { return F(sin_shifted)(x, 1); }

TT_INLINE T F(tan)(T x) {
#if TT_SINGLE
    U n;
    T tail;
    const T r = F(trig_split)(x, &n, &tail), z = r * r;
    T q = 4.41929838e-03f;
    q = q * z - 1.24688211e-06f;
    q = q * z + 1.09106824e-02f;
    q = q * z + 2.12518293e-02f;
    q = q * z + 5.40661365e-02f;
    q = q * z + 1.33326054e-01f;
    q = q * z + 3.33333522e-01f;
    const T rise = r * (z * q), near = r + rise;
    const T y = r + (rise + tail * (1 + near * near));
    const T t = (n & 1 ? (T)-1 : y) / (n & 1 ? y : 1);
    return x == 0 ? x : t;
#else
    return tan(x);
#endif
}

#if TT_SINGLE
/* atan(t) for 0 <= t <= 1 */
TT_INLINE T F(atan_core)(T t) {
    const T z = t * t;
    T q = -1.82718469e-3f;
    q = q * z + 1.10643152e-2f;
    q = q * z - 3.14554684e-2f;
    q = q * z + 5.82343191e-2f;
    q = q * z - 8.41944590e-2f;
    q = q * z + 1.09575719e-1f;
    q = q * z - 1.42652452e-1f;
    q = q * z + 1.99986383e-1f;
    q = q * z - 3.33333015e-1f;
    return t + t * (z * q);
}
#endif

TT_INLINE T F(atan)(T x) {
#if TT_SINGLE
    const T a = F(abs)(x);
    const T core = F(atan_core)((a > 1 ? 1 : a) / (a > 1 ? a : 1));
    return F(copysign)(a > 1 ? (PI_HI / 2 - core) + PI_LO / 2 : core, x);
#else
    return atan(x);
#endif
}

/* The angle of the point (x, y); equal magnitudes include two infinities. */
TT_INLINE T F(atan2)(T y, T x) {
#if TT_SINGLE
    const T ax = F(abs)(x), ay = F(abs)(y);
    const T small = ay > ax ? ax : ay, large = ay > ax ? ay : ax;
    const T ratio = large == 0 ? 0 : small == large ? 1 : small / large;
    const T core = F(atan_core)(ratio);
    const T up = ay > ax ? (PI_HI / 2 - core) + PI_LO / 2 : core;
    const T angle = F(bits)(x) >> 31 ? (PI_HI - up) + PI_LO : up;
    return x != x || y != y ? x + y : F(copysign)(angle, y);
#else
    return atan2(y, x);
#endif
}

#if TT_SINGLE
/* asin(s) for 0 <= s <= 1/2, z = s^2 */
TT_INLINE T F(asin_core)(T s, T z) {
    T q = 4.22185473e-2f;
    q = q * z + 2.41476111e-2f;
    q = q * z + 4.54770960e-2f;
    q = q * z + 7.49524161e-2f;
    q = q * z + 1.66667536e-1f;
    return s + s * (z * q);
}
#endif

TT_INLINE T F(asin)(T x) {
#if TT_SINGLE
    const T a = F(abs)(x), z = a > 0.5f ? 0.5f * (1 - a) : a * a;
    const T core = F(asin_core)(a > 0.5f ? sqrtf(z) : a, z);
    const T far = (PI_HI / 2 - 2 * core) + PI_LO / 2;
    return F(copysign)(a > 0.5f ? far : core, x);
#else
    return asin(x);
#endif
}

TT_INLINE T F(acos)(T x) {
#if TT_SINGLE
    const T a = F(abs)(x), z = a > 0.5f ? 0.5f * (1 - a) : a * a;
    const T core = F(asin_core)(a > 0.5f ? sqrtf(z) : a, z), twice = 2 * core;
    const T far = x < 0 ? (PI_HI - twice) + PI_LO : twice;
    const T near = PI_HI / 2 - (F(copysign)(core, x) - PI_LO / 2);
    return a > 0.5f ? far : near;
#else
    return acos(x);
#endif
}
#undef ROUND /* of simd_exp.h */
#undef INF
#undef PI_HI
#undef PI_LO
