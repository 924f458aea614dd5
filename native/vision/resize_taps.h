// Weights of resizing along one axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vision/resize.h"

namespace ssd_prune {

/// Output i is the sum of weights[i * width + k] times input first[i] + k, k < count[i], plus outside[i] times what
/// lies beyond the part of the axis that has values.
template <typename Weight>
struct Taps {
  size_t width = 0;
  std::vector<size_t> first;
  std::vector<size_t> count;
  std::vector<Weight> weights;
  std::vector<Weight> outside;

  const Weight* Weights(size_t i) const { return weights.data() + i * width; }

  /// From now on only inputs begin … begin + size - 1 have values, and `first` counts from `begin`.
  void Clip(size_t begin, size_t size);
};

/// Bits behind the point of fixed-point weights.
inline constexpr int kFractionBits = 22;

/// Weights of the widening kernel, normalised over what lies inside the axis, in fixed point, as Pillow has them.
Taps<int32_t> WideningTaps(size_t in, size_t out, ResizeKernel kernel);

/// Weights of the kernel at its own width; those beyond an edge are added to the edge's pixel.
Taps<float> PlainTaps(size_t in, size_t out, ResizeKernel kernel);

}  // namespace ssd_prune
