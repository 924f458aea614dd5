// Distance of every channel to all the others: the filters nearest to the geometric median have the smallest sums.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/isa.h"
#include "prune/channel_view.h"

namespace ssd_prune {

/// The channels of a tensor as float64 panels, which the distance kernels read.
class ChannelPanels {
 public:
  explicit ChannelPanels(const ChannelView& view);

  /// scores[c] = Σ_j ‖w_c − w_j‖₂ for from ≤ c < to, j ascending; `from` is a multiple of kPanel. The same bits on
  /// every instruction set.
  void Scores(Isa isa, size_t from, size_t to, double* scores) const;

 private:
  size_t channels_;
  size_t length_;
  std::vector<double> panels_;
};

}  // namespace ssd_prune
