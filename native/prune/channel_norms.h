// Norms of single channels.
#pragma once

#include <cstddef>

#include "prune/channel_view.h"

namespace ssd_prune {

/// scores[c] = Σ|w| (kL1Norm), √Σw² (kL2Norm) in float64, or NumPy's float32 Σ|w| (kL1Paddle1x: float32 and outer = 1),
/// over everything else of channel c, outer before inner, for from ≤ c < to.
void ChannelNorms(const ChannelView& view, Criterion criterion, size_t from, size_t to, double* scores);

}  // namespace ssd_prune
