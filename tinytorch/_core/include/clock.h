/* A monotonic clock. */
#ifndef TT_CLOCK_H
#define TT_CLOCK_H
#include <time.h>

static inline double tt_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}
#endif
