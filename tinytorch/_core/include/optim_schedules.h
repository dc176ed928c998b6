/* What a step makes of the numbers that each parameter keeps for itself: how many steps
   it has seen, products of momenta.  Run once a parameter, before the loop over it.

   c  the counts, read and advanced      h  the optimizer's numbers, the same for all
   s  out: the scalars of the loop (optim_steps.h); comes as a copy of h
   single  whether counts live in float32: they are rounded where torch.optim does

   As this is part of the kernel call, a replayed step counts on as an eager one. */
#ifndef TT_OPTIM_SCHEDULES_H
#define TT_OPTIM_SCHEDULES_H
#include <math.h>

#include "kernel.h"

enum { TT_STEP_SCALARS = 12, TT_STEP_COUNTS = 3 };

typedef void (*Schedule)(double *c, const Scalar *h, Scalar *s, int single);

#define TT_SCHEDULE(name)                                                              \
    static __attribute__((unused)) void name##_schedule(                               \
        double *c, const Scalar *h, Scalar *s, int single)
#define TT_ROUND(x) (single ? (double)(float)(x) : (x))

/* The loops of a step by compute type, and its schedule where integers have theirs. */
#define TT_STEP_LOOPS(name, schedule) static void *name##_loops[3]                     \
    __attribute__((unused)) = {(void *)name##_f32, (void *)name##_f64,                 \
                               (void *)schedule##_schedule};

/* rmsprop, adadelta, rprop: only counted */
TT_SCHEDULE(count) {
    (void)h, (void)s, (void)single;
    c[0] += 1;
}

/* h: sign, decay, lr, lr_decay, eps */
TT_SCHEDULE(adagrad) {
    (void)single;
    c[0] += 1;
    s[2].f = h[2].f / (1 + (c[0] - 1) * h[3].f);
    s[3].f = h[4].f;
}

/* Weight decay is added to the gradient, or shrinks the parameter: `decoupled`. */
static void tt_decouple(const Scalar *h, Scalar *s, int shrink, double decoupled) {
    s[1].f = decoupled ? 0 : h[1].f;
    s[shrink].f = decoupled ? 1 - h[2].f * h[1].f : 1;
}

/* h: sign, decay, lr, beta1, beta2, eps, decoupled */
TT_SCHEDULE(adam) {
    (void)single;
    const double t = c[0] += 1, beta1 = h[3].f, beta2 = h[4].f;
    tt_decouple(h, s, 8, h[6].f);
    s[2].f = h[2].f / (1 - pow(beta1, t));
    s[3].f = 1 - beta1;
    s[4].f = beta2;
    s[5].f = 1 - beta2;
    s[6].f = sqrt(1 - pow(beta2, t));
    s[7].f = h[5].f;
}

/* h: sign, decay, lr, beta1, beta2, eps */
TT_SCHEDULE(adamax) {
    (void)single;
    c[0] += 1;
    s[2].f = h[2].f / (1 - pow(h[3].f, c[0]));
    s[3].f = 1 - h[3].f;
}

/* h: sign, decay, lr, beta1, beta2, eps, decoupled, momentum decay; c[1] is the product
   of the momenta mu so far */
TT_SCHEDULE(nadam) {
    const double t = c[0] += 1, beta1 = h[3].f, beta2 = h[4].f;
    const double mu = beta1 * (1 - 0.5 * pow(0.96, t * h[7].f));
    const double next = beta1 * (1 - 0.5 * pow(0.96, (t + 1) * h[7].f));
    c[1] = TT_ROUND(c[1] * TT_ROUND(mu));
    tt_decouple(h, s, 8, h[6].f);
    s[2].f = h[2].f * (1 - mu) / (1 - c[1]);
    s[3].f = 1 - beta1;
    s[4].f = beta2;
    s[5].f = 1 - beta2;
    s[6].f = 1 - pow(beta2, t);
    s[7].f = h[5].f;
    s[9].f = h[2].f * next / (1 - c[1] * next);
}

/* h: sign, decay, lr, beta1, beta2, eps, decoupled */
TT_SCHEDULE(radam) {
    (void)single;
    const double t = c[0] += 1, beta1 = h[3].f, beta2 = h[4].f, power = pow(beta2, t);
    const double most = 2 / (1 - beta2) - 1, rho = most - 2 * t * power / (1 - power);
    const double over = (most - 4) * (most - 2) * rho;
    tt_decouple(h, s, 8, h[6].f);
    s[3].f = 1 - beta1;
    s[4].f = beta2;
    s[5].f = 1 - beta2;
    s[6].f = 1 - pow(beta1, t);
    s[7].f = h[5].f;
    s[9].f = sqrt(1 - power);
    s[10].f = rho > 5 ? sqrt((rho - 4) * (rho - 2) * most / over) : 0;
}

/* h: sign, decay, lr, lambda, alpha, t0; c[1] eta, c[2] mu, each for the next step */
TT_SCHEDULE(asgd) {
    const double t = c[0] += 1, lr = h[2].f, eta = c[1], mu = c[2];
    s[2].f = eta;
    s[3].f = 1 - h[3].f * eta;
    s[4].f = mu;
    c[1] = TT_ROUND(lr / pow(1 + h[3].f * lr * t, h[4].f));
    c[2] = TT_ROUND(1 / fmax(1, t - h[5].f));
}
#endif
