/* What is per thread, recording, inference mode and the running pass; and whether
   errors of derivatives are looked for. */
#ifndef TT_MODES_H
#define TT_MODES_H
extern __thread int tt_grad_mode, tt_inference_mode;
extern __thread void *tt_current_run;  /* the pass backward that the thread is in */
extern int tt_anomaly, tt_check_nan;
#endif
