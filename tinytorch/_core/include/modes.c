/* The modes of modes.h: one copy for all modules of the library. */
#include "modes.h"

TT_THREAD int tt_grad_mode = 1, tt_inference_mode = 0;
TT_THREAD void *tt_current_run = 0;
TT_THREAD int tt_freeing = 0;
TT_THREAD struct TT_Unfreed *tt_unfreed = 0;
int tt_anomaly = 0, tt_check_nan = 0;
