/* What is per thread: recording, inference mode and the running pass. */
#ifndef TT_MODES_H
#define TT_MODES_H
static __thread int tt_grad_mode = 1, tt_inference_mode = 0;
static __thread void *tt_current_run;  /* the pass backward that the thread is in */
#endif
