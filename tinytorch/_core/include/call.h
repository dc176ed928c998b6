/* A kernel call as a value: which kernel, on which operands, with which scalars.

   Ops fill one on the C stack and hand it to the executor, which runs it, launches it
   on a device, records it or times it.  Operands point at the tensors' own sizes; only
   the recorder copies them. */
#ifndef TT_CALL_H
#define TT_CALL_H
#include "kernel.h"

typedef struct View {
    char *data;              /* first element; NULL where there is no memory */
    const int64_t *shape;
    const int64_t *strides;  /* in elements */
    void *storage;           /* NULL: an immediate, one value of a compute type */
    int64_t numel;
    uint8_t ndim, dtype, contiguous;
} View;

typedef struct KernelCall KernelCall;

/* Runs a call on the CPU, without the GIL.  Returns TT_OK or what went wrong. */
typedef int (*Driver)(const KernelCall *call);

typedef struct Kernel {
    const char *name;
    Driver driver;           /* the kind of call: how the loop is driven */
    void *function[3];       /* the loop by compute type; NULL: not for this type */
    int flags;               /* meaning depends on the kind */
    int id;
    double flops;            /* per element of the first output; 0: the kind knows */
    double (*count_flops)(const KernelCall *call);
} Kernel;

struct KernelCall {
    const Kernel *kernel;
    View *operand;           /* outputs first */
    const Scalar *scalar;
    int operands, outputs, scalars;
    int compute;             /* index into Kernel.function */
    int device;
};

enum { TT_OK, TT_NO_MEMORY, TT_BAD_INDEX, TT_ZERO_DIVISION, TT_NO_KERNEL,
       TT_BAD_VALUE };

/* The pool of threads; every extension points this at it when it is imported. */
typedef void (*ParallelBody)(void *context, int64_t begin, int64_t end);
static void (*tt_parallel_for)(ParallelBody, void *, int64_t, int64_t)
    __attribute__((unused));
#endif
