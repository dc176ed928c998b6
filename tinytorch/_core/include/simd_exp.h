/* exp, log and their relatives (part of simd.h; see each_float.h for T, F, C).

   exp:  x = n ln2 + r, |r| <= ln2 / 2,  exp(x) = 2^n (1 + p),  p = exp(r) - 1
   log:  x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2),  log(x) = e ln2 + log1p(f)
   Coefficients are minimax or Chebyshev fits of this project; ln2 is split so that n
   times its upper part is exact. */

#define MANTISSA C(23, 52)
#define BIAS C(127, 1023)
#define ROUND C(0x1.8p23f, 0x1.8p52) /* x + ROUND shows the integer next to x */
#define LN2_HI C(0x1.62e4p-1f, 0x1.62e42feep-1)
#define LN2_LO C(0x1.7f7d1cp-20f, 0x1.a39ef35793c76p-33)
#define LOG2E C(0x1.715476p+0f, 0x1.71547652b82fep+0)
#define INF ((T)INFINITY)

TT_INLINE U F(bits)(T x) { return ((F(pun)){.x = x}).u; }
TT_INLINE T F(float)(U u) { return ((F(pun)){.u = u}).x; }
TT_INLINE T F(abs)(T x) { return F(float)(F(bits)(x) & (U)-1 >> 1); }
TT_INLINE T F(copysign)(T x, T sign) {
    const U mask = (U)1 << (sizeof(T) * 8 - 1);
    return F(float)((F(bits)(x) & ~mask) | (F(bits)(sign) & mask));
}
TT_INLINE T F(min)(T bound, T x) { return bound < x ? bound : x; } /* NaN x passes */
TT_INLINE T F(max)(T bound, T x) { return bound > x ? bound : x; }

/* 2^n for an integral n within the normal exponents */
TT_INLINE T F(pow2)(T n) { return F(float)(F(bits)(n + (ROUND + BIAS)) << MANTISSA); }

/* y 2^n in two factors, so that the result may overflow or be denormal */
TT_INLINE T F(scale)(T y, T n) {
    const T half = (n * (T)0.5 + ROUND) - ROUND;
    return y * F(pow2)(half) * F(pow2)(n - half);
}

/* exp(r) - 1 for |r| <= 0.347 */
TT_INLINE T F(expm1_core)(T r) {
#if TT_SINGLE
    T q = 1.39505218e-3f;
    q = q * r + 8.36890843e-3f;
    q = q * r + 4.16662060e-2f;
    q = q * r + 1.66665182e-1f;
    q = q * r + 0.5f;
#else
    T q = 2.5100472505694996e-8;
    q = q * r + 2.76202015910315488e-7;
    q = q * r + 2.75572682769056962e-6;
    q = q * r + 2.48015210578682052e-5;
    q = q * r + 1.9841269863171556e-4;
    q = q * r + 1.38888889173670806e-3;
    q = q * r + 8.3333333333300382e-3;
    q = q * r + 4.16666666666238205e-2;
    q = q * r + 1.66666666666666675e-1;
    q = q * r + 0.5;
#endif
    return r + r * r * q;
}

/* p = exp(r) - 1 and n of the head's formula */
TT_INLINE T F(exp_split)(T x, T *n) {
    *n = (x * LOG2E + ROUND) - ROUND;
    return F(expm1_core)((x - *n * LN2_HI) - *n * LN2_LO);
}

/* exp(x) / 2^halvings.  Up to the bound the scaling itself overflows or vanishes.  The
   limits are selected last: clamping x first would let GCC specialise the paths of
   constants and spoil the loop. */
TT_INLINE T F(exp_halved)(T x, T halvings) {
    T n;
    const T p = F(exp_split)(x, &n), y = F(scale)(1 + p, n - halvings);
    const T a = F(abs)(x), bound = C(170.f, 1400.);
    return bound < a ? F(max)(0, x) * C(1e38f, 1e308) : y;
}
TT_INLINE T F(exp)(T x) { return F(exp_halved)(x, 0); }

/* exp(x) for x <= 0, in half the time: n only has to be added to the exponent.  What
   would be denormal, and a little above, is 0. */
TT_INLINE T F(exp_negative)(T x) {
    const T shown = x * LOG2E + ROUND, n = shown - ROUND;
    const T y = 1 + F(expm1_core)((x - n * LN2_HI) - n * LN2_LO);
    const T power = F(float)(F(bits)(y) + (F(bits)(shown) << MANTISSA));
    return x < C(-86.6f, -707.5) ? 0 : power;
}

TT_INLINE T F(exp2)(T x) {
    x = F(max)(C(-152.f, -1080.), F(min)(C(129.f, 1025.), x));
    const T n = (x + ROUND) - ROUND, r = x - n;
#if TT_SINGLE
    T q = 1.54758964e-4f;
    q = q * r + 1.34002836e-3f;
    q = q * r + 9.61800572e-3f;
    q = q * r + 5.55032790e-2f;
    q = q * r + 2.40226507e-1f;
    q = q * r + 6.93147182e-1f;
    return F(scale)(1 + r * q, n);
#else
    return F(scale)(1 + F(expm1_core)(r * 0x1.62e42fefa39efp-1), n);
#endif
}

/* 2^n is halved because n may be one more than the largest exponent */
TT_INLINE T F(expm1)(T x) {
    T n;
    const T z = F(max)(C(-20.f, -40.), F(min)(C(89.f, 710.), x));
    const T p = F(exp_split)(z, &n), half = F(pow2)(n - 1);
    const T y = half * p + (half - (T)0.5);
    return F(abs)(x) < C(0x1p-25f, 0x1p-54) ? x : y + y;
}

/* e / (e + 2) with e = exp(2 |x|) - 1, which keeps its accuracy near zero */
TT_INLINE T F(tanh)(T x) {
    T n;
    const T z = F(min)(C(10.f, 20.), F(abs)(x));
    const T p = F(exp_split)(z + z, &n), power = F(pow2)(n);
    const T e = power * p + (power - 1);
    return F(copysign)(e / (e + 2), x);
}

TT_INLINE T F(sigmoid)(T x) {
    const T e = F(exp)(-F(abs)(x));
    return (x < 0 ? e : (T)1) / (1 + e);
}

TT_INLINE T F(cosh)(T x) {
    const T half = F(exp_halved)(F(abs)(x), 1);
    return half + (T)0.25 / half;
}

TT_INLINE T F(sinh)(T x) {
    const T a = F(abs)(x);
#if TT_SINGLE
    const T z = x * x;
    T q = 2.03774063e-4f;
    q = q * z + 8.33021104e-3f;
    q = q * z + 1.66667178e-1f;
    const T near = a + a * z * q;
#else
    const T e = F(expm1)(F(min)(1, a)), near = (e + e / (e + 1)) * 0.5;
#endif
    const T half = F(exp_halved)(a, 1);
    return F(copysign)(a < 1 ? near : half - (T)0.25 / half, x);
}

/* log1p(f) - f for sqrt(1/2) <= 1 + f < sqrt(2) */
TT_INLINE T F(log_rest)(T f) {
    const T square = f * f;
#if TT_SINGLE
    T q = -7.85954595e-2f;
    q = q * f + 1.28816217e-1f;
    q = q * f - 1.31287679e-1f;
    q = q * f + 1.41811967e-1f;
    q = q * f - 1.66245535e-1f;
    q = q * f + 2.00022861e-1f;
    q = q * f - 2.50008106e-1f;
    q = q * f + 3.33333164e-1f;
    return square * f * q - 0.5f * square;
#else
    /* log1p(f) = 2 atanh(s) with s = f / (2 + f) */
    const T s = f / (2 + f), z = s * s, half = 0.5 * square;
    T q = 1.30873304766037174e-1;
    q = q * z + 1.32687057729700703e-1;
    q = q * z + 1.53862422188793914e-1;
    q = q * z + 1.81817955938632093e-1;
    q = q * z + 2.22222223921470342e-1;
    q = q * z + 2.85714285708017009e-1;
    q = q * z + 4.00000000000008801e-1;
    q = q * z + 6.66666666666666665e-1;
    return s * (half + z * q) - half;
#endif
}
TT_INLINE T F(log_core)(T f, T e) {
    return e * LN2_HI + (f + (F(log_rest)(f) + e * LN2_LO));
}

/* f and e of the head's formula, for positive finite x */
TT_INLINE T F(log_split)(T x, T *e) {
    const int tiny = x < C(0x1p-126f, 0x1p-1022);
    const U one = (U)BIAS << MANTISSA, field = (U)-1 << MANTISSA;
    const U bits = F(bits)(tiny ? x * C(0x1p23f, 0x1p52) : x);
    const U biased = bits + (one - C(0x3f3504f3u, 0x3fe6a09e667f3bcdu));
    *e = F(float)(biased >> MANTISSA | F(bits)(C(0x1p23f, 0x1p52))) -
         (C(0x1p23f, 0x1p52) + BIAS) - (tiny ? (T)MANTISSA : 0);
    return F(float)(bits - (biased & field) + one) - 1;
}

/* y where x is positive and finite; the limits of every logarithm elsewhere */
TT_INLINE T F(log_limits)(T x, T y) {
    y = x < INF ? y : x;
    y = x == 0 ? -INF : y;
    return x < 0 ? (T)NAN : y;
}

TT_INLINE T F(log)(T x) {
    T e;
    const T f = F(log_split)(x, &e);
    return F(log_limits)(x, F(log_core)(f, e));
}

/* u + c = 1 + x exactly; c enters after u has been split */
TT_INLINE T F(log1p)(T x) {
    T e;
    const T u = 1 + x, v = u - 1, c = (1 - (u - v)) + (x - v);
    const T f = F(log_split)(u, &e) + c * F(pow2)(-F(min)(BIAS - 1, e));
    const T y = F(log_limits)(u, F(log_core)(f, e));
    return F(abs)(x) < C(0x1p-25f, 0x1p-54) ? x : y;
}

/* log1p(f) times hi + lo; hi and the upper part of f are short enough to multiply
   without error */
TT_INLINE T F(log_times)(T f, T hi, T lo) {
    const T rest = F(log_rest)(f);
    const T upper = F(float)(F(bits)(f) & (U)-1 << C(12, 28));
    return upper * hi + ((f - upper) * hi + (rest * hi + (f + rest) * lo));
}

TT_INLINE T F(log2)(T x) {
    T e;
    const T f = F(log_split)(x, &e);
    const T hi = C(0x1.714p+0f, 0x1.715476p+0);
    const T lo = C(0x1.47652cp-12f, 0x1.4ae0bf85ddf44p-26);
    return F(log_limits)(x, e + F(log_times)(f, hi, lo));
}

TT_INLINE T F(log10)(T x) {
    T e;
    const T f = F(log_split)(x, &e);
    const T hi = C(0x1.bc8p-2f, 0x1.bcb7bp-2);
    const T lo = C(0x1.bd8a94p-13f, 0x1.526e50e32a6abp-26);
    const T high = e * C(0x1.344p-2f, 0x1.34413508p-2);
    const T low = e * C(0x1.3509f8p-18f, 0x1.f79fef311f12bp-34);
    return F(log_limits)(x, high + (F(log_times)(f, hi, lo) + low));
}

/* log(1 + exp(x)) without overflow */
TT_INLINE T F(softplus)(T x) {
    return F(log1p)(F(exp)(-F(abs)(x))) + (x < 0 ? 0 : x);
}

/* erf(x) = 1 - exp(-x G(x)): the exponential forgives G's error as x grows */
TT_INLINE T F(erf)(T x) {
#if TT_SINGLE
    T n, q = -9.25573477e-6f;
    const T a = F(min)(3.93f, F(abs)(x));
    q = q * a + 1.17636257e-4f;
    q = q * a - 6.32817857e-4f;
    q = q * a + 1.66699034e-3f;
    q = q * a - 1.60355819e-4f;
    q = q * a - 1.91530883e-2f;
    q = q * a + 1.02777839e-1f;
    q = q * a + 6.36619389e-1f;
    q = q * a - 5.86353834e-8f; /* 2 / sqrt(pi) in two parts */
    const T p = F(exp_split)(-(a * 1.12837923f + a * q), &n), power = F(pow2)(n);
    return F(copysign)((1 - power) - power * p, x);
#else
    return erf(x);
#endif
}

#if TT_SINGLE
/* 2^t / 2 for -125 <= t <= 0: normal, so the exponent is added as an integer */
TT_INLINE float tt_half_exp2(float t) {
    const float n = t + ROUND, r = t - (n - ROUND);
    float q = 7.73794818e-5f;
    q = q * r + 6.70014182e-4f;
    q = q * r + 4.80900286e-3f;
    q = q * r + 2.77516395e-2f;
    q = q * r + 1.20113254e-1f;
    q = q * r + 3.46573591e-1f;
    return tt_float_f32(tt_bits_f32(q * r + 0.5f) + (tt_bits_f32(n) << 23));
}

/* The normal tail Phi(-a) = 2^(-a H(a)) / 2 for 0 <= a <= 6.5, to 4e-8 */
TT_INLINE float tt_normal_tail(float a) {
    float h = 1.88684567e-7f;
    h = h * a - 4.64448794e-6f;
    h = h * a + 4.50587650e-5f;
    h = h * a - 1.90281906e-4f;
    h = h * a - 1.49465021e-4f;
    h = h * a + 7.09141232e-3f;
    h = h * a - 5.25173247e-2f;
    h = h * a - 4.59201843e-1f;
    h = h * a - 1.15110576e+0f;
    return tt_half_exp2(h * a);
}
#endif

#undef MANTISSA
#undef BIAS
#undef LN2_HI
#undef LN2_LO
#undef LOG2E
