/* Recording and inference mode are per thread, as in PyTorch. */
#ifndef TT_MODES_H
#define TT_MODES_H
static __thread int tt_grad_mode = 1, tt_inference_mode = 0;
#endif
