#define SSD_PRUNE_KERNELS kPanelKernelsPortable
#define SSD_PRUNE_LANES 2
#include "calibrate/panel_kernels-inl.h"
