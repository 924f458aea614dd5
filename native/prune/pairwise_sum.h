// NumPy's float32 sum, bit for bit.
#pragma once

#include <cstddef>

namespace ssd_prune {

/// Σ|values[i]| in float32, added in the order of numpy.sum over a contiguous float32 axis: up to 7 values one after
/// the other; up to 128 in eight interleaved partial sums that are added as a tree, the rest behind them; more than
/// that in two halves, the first one a multiple of 8 long.
float PairwiseAbsSum(const float* values, size_t count);

}  // namespace ssd_prune
