#define SSD_PRUNE_LANES 16
#define SSD_PRUNE_ISA Isa::kAvx512
#define SSD_PRUNE_KERNELS kAvx512Kernels
#include "kernels/table-inl.h"
