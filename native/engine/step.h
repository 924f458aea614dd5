// What operations share during a step.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/team.h"

namespace ssd_prune {

struct Step {
  Team& team;
  /// Parameters, one after the other as ONNX lays them out, and the same for their gradients.
  float* weights;
  float* gradients;
  const std::vector<size_t>& offsets;  // of each parameter
  /// Workspaces, each for the operation at work alone: packed weights, slices' weight gradients, per-channel sums.
  float* packed;
  float* partial;
  double* sums;
  size_t sums_pitch;
  /// Of each slice of a forward pass: the numbers that its sums are relative to, and its rows.
  float* pivots;
  size_t* slice_rows;
  /// Statistics of normalisation come from the batch, and the running ones follow; else the running ones count.
  bool batch_statistics;
  /// Gradients of parameters are added to what is there.
  bool accumulate;
  /// Of each parameter: several nodes have it, so that each one adds; its gradient is 0 when the pass begins.
  const std::vector<bool>& shared;

  bool Adds(int parameter) const { return accumulate || shared[static_cast<size_t>(parameter)]; }

  float* Weight(int parameter) const { return weights + offsets[static_cast<size_t>(parameter)]; }
  float* Gradient(int parameter) const { return gradients + offsets[static_cast<size_t>(parameter)]; }
  /// Two vectors, `sums_pitch` apart.
  double* Sums(size_t slice) const { return sums + slice * 2 * sums_pitch; }
};

/// How many slices a loop over rows has: enough for many threads, each of a block's size at least.
inline size_t RowSlices(size_t rows, size_t block) {
  return std::clamp<size_t>(rows / std::max<size_t>(block, 1), 1, kMaxSlices);
}

}  // namespace ssd_prune
