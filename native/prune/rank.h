// Ranking: one score a channel of a weight tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "prune/slice.h"

namespace ssd_prune {

// lib/prune/kernels.ts knows these numbers.
enum class DataType { kFloat32 = 0, kFloat16 = 1, kBfloat16 = 2, kFloat64 = 3 };
enum class Criterion { kL1Norm = 0, kL2Norm = 1, kGeometryMedian = 2, kL1Paddle1x = 3 };

size_t ElementSize(DataType type);

struct RankJob {
  const std::byte* bytes;  // elements in C order, aligned or not
  DataType type;
  std::vector<size_t> dims;
  size_t axis;
  Criterion criterion;
  std::vector<Kept> keep;  // one entry an axis: what counts on the others; the ranked axis has none
  double* scores;          // dims[axis] of them, overwritten
};

/// Scores the channels of every job. Each score is accumulated in index order by one thread (float64; float32 pairwise
/// for kL1Paddle1x, which takes float32 and axis 0 only), so neither threads nor instruction set change a bit.
/// Throws std::invalid_argument where SSD_PRUNE_ISA names a set that isn't there.
void RankBatch(std::span<const RankJob> jobs, ThreadPool& pool);

}  // namespace ssd_prune
