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

/// How many slices a loop over rows has: about a block of rows each, and a multiple of four from three on, so that as
/// many threads have the same to do.
inline size_t RowSlices(size_t rows, size_t block) {
  const size_t slices = (rows + block - 1) / block;
  if (slices <= 2) return std::max<size_t>(slices, 1);
  return std::min((slices + 3) / 4 * 4, std::min(rows, kMaxSlices));
}

/// A slice's rows in blocks of at most `most`, as even as can be: calls body(row, rows).
template <typename Body>
void ForBlocks(size_t begin, size_t end, size_t most, const Body& body) {
  const size_t blocks = (end - begin + most - 1) / most;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t row = begin + SliceBegin(end - begin, blocks, block);
    body(row, begin + SliceBegin(end - begin, blocks, block + 1) - row);
  }
}

}  // namespace ssd_prune
