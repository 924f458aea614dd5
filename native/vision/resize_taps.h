// Weights of resizing along one axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vision/resize.h"

namespace ssd_prune {

/// Output i is the sum of weights[i * width + k] times input first[i] + k, k < count[i].
template <typename Weight>
struct Taps {
  size_t width = 0;
  std::vector<size_t> first;
  std::vector<size_t> count;
  std::vector<Weight> weights;

  const Weight* Weights(size_t i) const { return weights.data() + i * width; }
};

/// Bits behind the point of fixed-point weights.
inline constexpr int kFractionBits = 22;

/// Weights of the widening kernel, normalised over what lies inside the axis, in fixed point, as Pillow has them.
Taps<int32_t> WideningTaps(size_t in, size_t out, ResizeKernel kernel);

/// Leaves taps only for inputs begin … begin + size - 1, which `first` counts from `begin` afterwards. Returns the sum
/// of the weights that went, for each output.
std::vector<int32_t> ClipTaps(Taps<int32_t>& taps, size_t begin, size_t size);

/// Weights of the kernel at its own width; those beyond an edge are added to the edge's pixel. All outputs have equally
/// many taps: the kernel's width, or all of the picture where it is smaller.
Taps<float> PlainTaps(size_t in, size_t out, ResizeKernel kernel);

}  // namespace ssd_prune
