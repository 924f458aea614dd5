#include "prune/geometry_median.h"

#include <algorithm>

#include "prune/distance.h"

namespace ssd_prune {
namespace {

DistanceKernel* KernelOf(Isa isa) {
#if defined(SSD_PRUNE_X86)
  if (isa == Isa::kAvx512) return PanelDistancesAvx512;
  if (isa == Isa::kAvx2) return PanelDistancesAvx2;
#endif
  static_cast<void>(isa);
  return PanelDistancesPortable;
}

}  // namespace

ChannelPanels::ChannelPanels(const ChannelView& view)
    : channels_(view.channels),
      length_(view.outer * view.inner),
      panels_((view.channels + kPanel - 1) / kPanel * kPanel * length_) {
  WithElement(view.type, [&](auto element) {
    using Element = decltype(element);
    const std::byte* from = view.bytes;
    for (size_t outer = 0; outer < view.outer; ++outer) {
      for (size_t c = 0; c < channels_; ++c) {
        double* to = &panels_[c / kPanel * kPanel * length_ + outer * view.inner * kPanel + c % kPanel];
        for (size_t i = 0; i < view.inner; ++i, from += Element::kSize) to[i * kPanel] = Element::Load(from);
      }
    }
  });
}

void ChannelPanels::Scores(Isa isa, size_t from, size_t to, double* scores) const {
  DistanceKernel* const distances_between = KernelOf(isa);
  const size_t panel_size = kPanel * length_;
  double distances[kPanel * kPanel];
  for (size_t first = from; first < to; first += kPanel) {
    const size_t rows = std::min(kPanel, to - first);
    double sums[kPanel] = {};
    for (size_t other = 0; other < channels_; other += kPanel) {
      distances_between(&panels_[first / kPanel * panel_size], &panels_[other / kPanel * panel_size], length_,
                        distances);
      const size_t columns = std::min(kPanel, channels_ - other);
      for (size_t j = 0; j < columns; ++j) {
        for (size_t r = 0; r < rows; ++r) sums[r] += distances[r * kPanel + j];
      }
    }
    std::copy_n(sums, rows, scores + first);
  }
}

}  // namespace ssd_prune
