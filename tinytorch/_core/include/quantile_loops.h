/* The element-wise loops of quantile.h, which reads this once per type. */
ZIP_COLD(gamma_slope, (T)gamma_slope(a, b))
TT_LOOP3(TT_COLD, K(beta_slope), T, T, a, b, c, TT_S0, (T)beta_slope(a, b, c))
