#include "kernels/kernels.h"

namespace ssd_prune {

const Kernels& KernelsOf(Isa isa) {
#ifdef SSD_PRUNE_X86
  if (isa == Isa::kAvx512) return kAvx512Kernels;
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#endif
  static_cast<void>(isa);
  return kPortableKernels;
}

}  // namespace ssd_prune
