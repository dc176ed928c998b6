/* What is per thread, recording, inference mode and the running pass; and whether
   errors of derivatives are looked for. */
#ifndef TT_MODES_H
#define TT_MODES_H
#include <limits.h> /* says whether the library is glibc */
/* Found without a call, which every op would make.  glibc keeps room for a few such
   variables of libraries that are opened late; others do not, and elsewhere than on x86
   the call costs less. */
#if defined(__GLIBC__) && defined(__x86_64__)
#define TT_THREAD __thread __attribute__((tls_model("initial-exec")))
#else
#define TT_THREAD __thread
#endif
extern TT_THREAD int tt_grad_mode, tt_inference_mode;
extern TT_THREAD void *tt_current_run; /* the pass backward that the thread is in */
extern TT_THREAD int tt_freeing; /* objects being freed, one inside the other */
extern TT_THREAD struct TT_Unfreed *tt_unfreed; /* those that wait: freeing.h */
extern int tt_anomaly, tt_check_nan;
#endif
