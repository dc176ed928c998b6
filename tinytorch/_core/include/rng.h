/* The state of a CPU random generator, and the bytes by which it travels. */
#ifndef TT_RNG_H
#define TT_RNG_H
#include <string.h>
#include "kernel.h"

enum { MT_WORDS = 624 };

typedef struct {
    uint64_t seed;
    uint32_t word[MT_WORDS];
    int32_t left;        /* words unread, plus one: 1 means "twist before the next" */
    uint32_t next;       /* index of the next unread word */
    double spare;        /* the second normal of a pair, if spare_set */
    float spare_float;   /* nobody sets it here, but states of others may hold it */
    uint8_t spare_set, spare_float_set;
    void *lock;          /* PyThread_type_lock: fills run without the GIL */
} Rng;

/* What torch.Generator().get_state() holds; x and rho are relics, always zero. */
typedef struct {
    uint64_t seed;
    int32_t left, seeded;
    uint64_t next, word[MT_WORDS];
    double x, spare, rho;
    int32_t spare_set, padding;
    float spare_float;
    uint8_t spare_float_set, end[3];
} RngBytes;
_Static_assert(sizeof(RngBytes) == 5056, "layout of PyTorch's CPU generator state");

/* What fill can draw, and its scalars s. */
enum {
    DRAW_UNIFORM,        /* from .f, to .f */
    DRAW_NORMAL,         /* mean .f, std .f; memory that PyTorch calls contiguous */
    DRAW_NORMAL_SERIAL,  /* mean .f, std .f; any other memory */
    DRAW_INTEGERS,       /* from .i, to .i: exclusive, 2^63 as INT64_MIN */
    DRAW_LONGS,          /* all 2^64 values; int64, float64, float32, bfloat16 */
    DRAW_NATURALS,       /* 0 to the largest integer, or to 2^digits of a float */
    DRAW_BERNOULLI,      /* p .f */
    DRAW_EXPONENTIAL,    /* rate .f */
    DRAW_GEOMETRIC,      /* p .f; not bool */
    DRAW_CAUCHY,         /* median .f, sigma .f */
    DRAW_LOG_NORMAL,     /* mean .f, std .f */
    DRAW_PERMUTATION,    /* of 0 .. n - 1 */
    DRAWS
};

/* What is sampled element by element from the elements of tensors. */
enum {
    SAMPLE_POISSON,   /* rate >= 0; any floating dtype */
    SAMPLE_GAMMA,     /* shape; float32, float64 */
    SAMPLE_BINOMIAL   /* count, probability; float32, float64 */
};

/* Why multinomial drew nothing. */
enum {
    WEIGHTS_OK,
    WEIGHTS_DTYPE,     /* not floating */
    WEIGHTS_NEGATIVE,  /* with replacement: negative or NaN */
    WEIGHTS_INFINITE,  /* infinite; without replacement: NaN or negative too */
    WEIGHTS_ZERO       /* their sum is zero */
};

static inline void rng_export(const Rng *r, RngBytes *b) {
    memset(b, 0, sizeof *b);
    b->seed = r->seed, b->left = r->left, b->seeded = 1, b->next = r->next;
    for (int i = 0; i < MT_WORDS; i++) b->word[i] = r->word[i];
    if (r->spare_set) b->spare_set = 1, b->spare = r->spare;
    if (r->spare_float_set) b->spare_float_set = 1, b->spare_float = r->spare_float;
}

/* -1 if the counters are impossible.  PyTorch lets some of those pass and then reads
   beyond its array: all unread words must exist. */
static inline int rng_import(Rng *r, const RngBytes *b) {
    if (!b->seeded || b->left <= 0 || b->left > MT_WORDS || b->next > MT_WORDS ||
        b->next + (uint64_t)b->left > MT_WORDS + 1)
        return -1;
    r->seed = b->seed, r->left = b->left, r->next = (uint32_t)b->next;
    for (int i = 0; i < MT_WORDS; i++) r->word[i] = (uint32_t)b->word[i];
    r->spare_set = b->spare_set != 0, r->spare = b->spare;
    r->spare_float_set = b->spare_float_set != 0, r->spare_float = b->spare_float;
    return 0;
}
#endif
