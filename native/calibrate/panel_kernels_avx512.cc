#define SSD_PRUNE_KERNELS kPanelKernelsAvx512
#define SSD_PRUNE_LANES 8
#include "calibrate/panel_kernels-inl.h"
