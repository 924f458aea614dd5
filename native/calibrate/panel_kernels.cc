#include "calibrate/panel_kernels.h"

namespace ssd_prune {

const PanelKernels& PanelKernelsOf(Isa isa) {
#if defined(SSD_PRUNE_X86)
  if (isa == Isa::kAvx512) return kPanelKernelsAvx512;
  if (isa == Isa::kAvx2) return kPanelKernelsAvx2;
#endif
  static_cast<void>(isa);
  return kPanelKernelsPortable;
}

}  // namespace ssd_prune
