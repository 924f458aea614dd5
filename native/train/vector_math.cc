#include "train/vector_math.h"

namespace ssd_prune {

const VectorMath& VectorMathOf(Isa isa) {
#ifdef SSD_PRUNE_X86
  if (isa == Isa::kAvx512) return kVectorMathAvx512;
  if (isa == Isa::kAvx2) return kVectorMathAvx2;
#endif
  static_cast<void>(isa);
  return kVectorMathPortable;
}

}  // namespace ssd_prune
