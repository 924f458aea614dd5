#define SSD_PRUNE_KERNELS kPanelKernelsAvx2
#define SSD_PRUNE_LANES 4
#include "calibrate/panel_kernels-inl.h"
