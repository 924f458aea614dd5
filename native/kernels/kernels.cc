#include "kernels/kernels.h"

#include <stdexcept>

namespace ssd_prune {

#ifdef SSD_PRUNE_X86
namespace {

const Kernels& Avx512Bfloat16Kernels() {
  static const Kernels kernels = [] {
    Kernels made = kAvx512Bfloat16Kernels;
    made.depthwise_row = kAvx512Kernels.depthwise_row;
    made.depthwise_weights = kAvx512Kernels.depthwise_weights;
    return made;
  }();
  return kernels;
}

}  // namespace
#endif

bool HasPrecision(Isa isa, Precision precision) {
  if (precision == Precision::kFloat32) return true;
#ifdef SSD_PRUNE_X86
  return isa == Isa::kAvx512 && HasAvx512Bfloat16();
#else
  static_cast<void>(isa);
  return false;
#endif
}

const Kernels& KernelsOf(Isa isa, Precision precision) {
  if (!HasPrecision(isa, precision)) throw std::invalid_argument("no bfloat16 products on this instruction set");
#ifdef SSD_PRUNE_X86
  if (precision == Precision::kBfloat16) return Avx512Bfloat16Kernels();
  if (isa == Isa::kAvx512) return kAvx512Kernels;
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#endif
  return kPortableKernels;
}

}  // namespace ssd_prune
