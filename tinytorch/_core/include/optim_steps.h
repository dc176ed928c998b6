/* One optimizer step over contiguous memory, in one pass: p[0] the parameter and p[2..]
   the state are read and written, p[1] is the gradient.

   Formulas and their order are those of torch.optim.  What is the same for all elements
   (bias corrections, rates that fall) is computed once, in double, by the kernel's
   schedule (optim_schedules.h).  Three scalars begin every list:
     s[0] sign   1, or -1 to maximize
     s[1] decay  weight decay that is added to the gradient
     s[2] lr     the step size; or what the optimizer makes of it, said at each loop */
#ifndef T
#ifndef TT_OPTIM_STEPS_H
#define TT_OPTIM_STEPS_H
#include "loops.h"
#include "select.h" /* lerp */
#define TT_FILE "optim_steps.h"
#include "each_float.h"
#endif
#else

#define STEP(name, SETUP, ...)                                                         \
    TT_KERNEL void K(name)(char **p, int64_t n, const Scalar *s) {                     \
        T *param = (T *)p[0];                                                          \
        const T *grad = (const T *)p[1];                                               \
        const T sign = (T)s[0].f, decay = (T)s[1].f, lr = (T)s[2].f;                   \
        (void)lr;                                                                      \
        SETUP TT_ITEMS(T w = param[i]; const T g = sign * grad[i] + decay * w;         \
                       __VA_ARGS__ param[i] = w;)                                      \
    }
#define STATE(k, name) T *name = (T *)p[k];
#define SCALAR(k, name) const T name = (T)s[k].f;

STEP(sgd, , w -= lr * g;)

/* s[3] momentum, s[4] 1 - dampening, s[5] nesterov, 0 or 1 */
STEP(sgd_momentum,
     STATE(2, buffer) SCALAR(3, momentum) SCALAR(4, take)
         const int nesterov = s[5].f != 0;,
     const T b = buffer[i] * momentum + take * g;
     buffer[i] = b;
     w -= lr * (nesterov ? g + momentum * b : b);)

/* lr is lr / (1 - beta1^t); s[3] 1 - beta1, s[4] beta2, s[5] 1 - beta2,
   s[6] sqrt(1 - beta2^t), s[7] eps, s[8] 1 - lr decay of the decoupled form, else 1 */
#define ADAM_SCALARS                                                                   \
    SCALAR(3, take) SCALAR(4, beta2) SCALAR(5, rest2) SCALAR(6, correction)            \
    SCALAR(7, eps) SCALAR(8, shrink)
STEP(adam, STATE(2, mean) STATE(3, square) ADAM_SCALARS,
     const T m = F(lerp)(mean[i], g, take);
     const T v = square[i] * beta2 + rest2 * g * g;
     mean[i] = m;
     square[i] = v;
     w = w * shrink - lr * m / (L(sqrt)(v) / correction + eps);)
STEP(adam_amsgrad, STATE(2, mean) STATE(3, square) STATE(4, largest) ADAM_SCALARS,
     const T m = F(lerp)(mean[i], g, take);
     const T v = square[i] * beta2 + rest2 * g * g;
     const T top = largest[i] > v ? largest[i] : v;
     mean[i] = m;
     square[i] = v;
     largest[i] = top;
     w = w * shrink - lr * m / (L(sqrt)(top) / correction + eps);)
#undef ADAM_SCALARS

/* lr is not bias-corrected; s[3] 1 - beta1, s[4] beta2, s[5] 1 - beta2, s[6] beta1,
   s[7] 1 - lr decay.  The direction is only the sign. */
STEP(lion, STATE(2, mean) SCALAR(3, rest1) SCALAR(4, beta2) SCALAR(5, rest2)
               SCALAR(6, beta1) SCALAR(7, shrink),
     const T m = mean[i], d = beta1 * m + rest1 * g;
     mean[i] = beta2 * m + rest2 * g;
     w = w * shrink - lr * (d != d ? d : (T)((d > 0) - (d < 0)));)

/* s[3] alpha, s[4] 1 - alpha, s[5] eps, s[6] momentum */
#define RMS_SCALARS SCALAR(3, alpha) SCALAR(4, rest) SCALAR(5, eps)
#define RMS_SQUARE                                                                     \
    const T v = square[i] * alpha + rest * g * g;                                      \
    square[i] = v;
#define RMS_CENTER                                                                     \
    const T a = F(lerp)(average[i], g, rest), denominator = L(sqrt)(v - a * a) + eps;  \
    average[i] = a;
#define RMS_MOMENTUM                                                                   \
    const T b = buffer[i] * momentum + g / denominator;                                \
    buffer[i] = b;                                                                     \
    w -= lr * b;
STEP(rmsprop, STATE(2, square) RMS_SCALARS,
     RMS_SQUARE w -= lr * g / (L(sqrt)(v) + eps);)
STEP(rmsprop_momentum,
     STATE(2, square) STATE(3, buffer) RMS_SCALARS SCALAR(6, momentum),
     RMS_SQUARE const T denominator = L(sqrt)(v) + eps; RMS_MOMENTUM)
STEP(rmsprop_centered, STATE(2, square) STATE(3, average) RMS_SCALARS,
     RMS_SQUARE RMS_CENTER w -= lr * g / denominator;)
STEP(rmsprop_centered_momentum,
     STATE(2, square) STATE(3, average) STATE(4, buffer) RMS_SCALARS
         SCALAR(6, momentum),
     RMS_SQUARE RMS_CENTER RMS_MOMENTUM)
#undef RMS_SCALARS
#undef RMS_SQUARE
#undef RMS_CENTER
#undef RMS_MOMENTUM

/* lr is lr / (1 + (t - 1) lr_decay); s[3] eps */
STEP(adagrad, STATE(2, sum) SCALAR(3, eps),
     const T v = sum[i] + g * g;
     sum[i] = v;
     w -= lr * g / (L(sqrt)(v) + eps);)

/* s[3] rho, s[4] 1 - rho, s[5] eps */
STEP(adadelta, STATE(2, square) STATE(3, moved) SCALAR(3, rho) SCALAR(4, rest)
                   SCALAR(5, eps),
     const T v = square[i] * rho + rest * g * g;
     const T d = L(sqrt)(moved[i] + eps) / L(sqrt)(v + eps) * g;
     square[i] = v;
     moved[i] = moved[i] * rho + rest * d * d;
     w -= lr * d;)

/* lr is lr / (1 - beta1^t); s[3] 1 - beta1, s[4] beta2, s[5] eps */
STEP(adamax, STATE(2, mean) STATE(3, norm) SCALAR(3, take) SCALAR(4, beta2)
                 SCALAR(5, eps),
     const T m = F(lerp)(mean[i], g, take);
     const T old = norm[i] * beta2, now = F(abs)(g) + eps;
     const T top = old > now || old != old ? old : now;
     mean[i] = m;
     norm[i] = top;
     w -= lr * m / top;)

/* lr weighs the gradient: lr (1 - mu_t) / (1 - mu_1 ... mu_t); s[3] 1 - beta1,
   s[4] beta2, s[5] 1 - beta2, s[6] 1 - beta2^t, s[7] eps, s[8] 1 - lr decay,
   s[9] weighs the mean: lr mu_t+1 / (1 - mu_1 ... mu_t+1) */
STEP(nadam, STATE(2, mean) STATE(3, square) SCALAR(3, take) SCALAR(4, beta2)
                SCALAR(5, rest2) SCALAR(6, correction) SCALAR(7, eps) SCALAR(8, shrink)
                SCALAR(9, weight),
     const T m = F(lerp)(mean[i], g, take);
     const T v = square[i] * beta2 + rest2 * g * g;
     const T denominator = L(sqrt)(v / correction) + eps;
     mean[i] = m;
     square[i] = v;
     w = (w * shrink - lr * g / denominator) - weight * m / denominator;)

/* s[3] 1 - beta1, s[4] beta2, s[5] 1 - beta2, s[6] 1 - beta1^t, s[7] eps,
   s[8] 1 - lr decay, s[9] sqrt(1 - beta2^t), s[10] the rectification; zero as long as
   the variance cannot be rectified */
STEP(radam, STATE(2, mean) STATE(3, square) SCALAR(3, take) SCALAR(4, beta2)
                SCALAR(5, rest2) SCALAR(6, correction) SCALAR(7, eps) SCALAR(8, shrink)
                SCALAR(9, numerator) SCALAR(10, rectification),
     const T m = F(lerp)(mean[i], g, take);
     const T v = square[i] * beta2 + rest2 * g * g;
     const T plain = m / correction * lr;
     const T adaptive = plain * (numerator / (L(sqrt)(v) + eps)) * rectification;
     mean[i] = m;
     square[i] = v;
     w = w * shrink - (rectification > 0 ? adaptive : plain);)

/* lr is eta; s[3] 1 - lambda eta, s[4] mu, the weight of the newest in the average */
STEP(asgd, STATE(2, average) SCALAR(3, shrink) SCALAR(4, mu),
     w = w * shrink - lr * g;
     average[i] = mu == 1 ? w : average[i] + mu * (w - average[i]);)

/* s[3], s[4] factors of the step size where the gradient's sign changed or stayed,
   s[5], s[6] its bounds.  Where it changed, the step is left out and forgotten. */
STEP(rprop, STATE(2, before) STATE(3, size) SCALAR(3, down) SCALAR(4, up)
                SCALAR(5, least) SCALAR(6, most),
     const T turn = g * before[i], bare = turn < 0 ? 0 : g;
     const T wide = size[i] * (turn > 0 ? up : turn < 0 ? down : 1);
     const T step = wide < least ? least : wide > most ? most : wide;
     size[i] = step;
     before[i] = bare;
     w -= step * (bare != bare ? bare : (T)((bare > 0) - (bare < 0)));)
#undef STEP
#undef STATE
#undef SCALAR
#endif
