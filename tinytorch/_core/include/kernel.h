/* What every kernel header shares: the scalar, the element loop,
   the instruction sets. */
#ifndef TT_KERNEL_H
#define TT_KERNEL_H
#include <stdint.h>

/* A parameter of a kernel call that is a value, not an operand. */
typedef union { double f; int64_t i; } Scalar;

/* Dtypes, in the order of every table that is indexed by one. */
enum { TT_F32, TT_F64, TT_F16, TT_BF16, TT_I64, TT_I32, TT_I16, TT_I8, TT_U8, TT_BOOL };

static const int tt_itemsize[] __attribute__((unused)) = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};

/* The size of a part into which a kernel cuts its work: elements of a task for the
   thread pool, or of a block in a cache.  Tests are made of small tensors, so a debug
   build takes the second size: there tests cut what programs cut. */
#ifdef NDEBUG
#define TT_PART(size, in_tests) (size)
#else
#define TT_PART(size, in_tests) (in_tests)
#endif

/* What kernels calculate in: by dtype, and bytes by compute type. */
enum { TT_COMPUTE_F32, TT_COMPUTE_F64, TT_COMPUTE_I64 };
static const int tt_compute_of[] __attribute__((unused)) = {0, 1, 0, 0, 2, 2, 2, 2, 2,
                                                            2};
static const int tt_compute_size[] __attribute__((unused)) = {4, 8, 8};

/* Element-wise loops see contiguous operands of one compute type (float, double or
   int64_t): p[0] is the output, p[1..] the inputs, n the number of elements, s the
   scalars.  The driver widens, narrows, broadcasts and gathers in blocks around them,
   so a loop exists at most three times per op.  The output may be an input. */
typedef void (*Loop)(char **p, int64_t n, const Scalar *s);

/* The loops of an op by compute type, as the executor takes them. */
#define TT_LOOPS(name) static void *name##_loops[3] __attribute__((unused)) = \
    {(void *)name##_f32, (void *)name##_f64, (void *)name##_i64};
#define TT_FLOAT_LOOPS(name) static void *name##_loops[3] __attribute__((unused)) = \
    {(void *)name##_f32, (void *)name##_f64, 0};

/* One copy of the function per instruction set, chosen when the library is loaded.
   Needs ifunc; elsewhere the baseline copy serves.  No copy for AVX-512: compilers keep
   to vectors of 32 bytes there too, and a third of the library would be that copy. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__clang__) && __GNUC__ >= 12 && !defined(TT_NO_CLONES)
#define TT_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define TT_CLONES
#endif
#define TT_KERNEL static __attribute__((unused)) TT_CLONES
#define TT_INLINE static inline __attribute__((always_inline, unused))
#define TT_UNLIKELY(c) __builtin_expect(!!(c), 0)
#define TT_LIKELY(c) __builtin_expect(!!(c), 1)
#endif
