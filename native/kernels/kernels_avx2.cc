#define SSD_PRUNE_LANES 8
#define SSD_PRUNE_ISA Isa::kAvx2
#define SSD_PRUNE_KERNELS kAvx2Kernels
#include "kernels/table-inl.h"
