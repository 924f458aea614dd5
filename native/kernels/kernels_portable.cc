#define SSD_PRUNE_LANES 4
#define SSD_PRUNE_ISA Isa::kPortable
#define SSD_PRUNE_KERNELS kPortableKernels
#include "kernels/table-inl.h"
