// Slicing: a dense tensor with only the kept indexes of any of its axes left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"

namespace ssd_prune {

/// Indexes that stay on an axis, in the order in which they stay; without them all stay.
using Kept = std::optional<std::span<const int32_t>>;

struct SliceJob {
  const std::byte* bytes;  // elements in C order, aligned or not
  size_t element_size;     // 1, 2, 4 or 8
  std::vector<size_t> dims;
  std::vector<Kept> keep;  // one entry an axis, indexes within its dimension
  std::byte* out;          // SlicedBytes() bytes, written completely
};

/// Size of a job's result in bytes.
size_t SlicedBytes(const SliceJob& job);

/// Writes the result of every job, large ones in several pieces at once. Inputs and outputs may not overlap.
void SliceBatch(std::span<const SliceJob> jobs, ThreadPool& pool);

}  // namespace ssd_prune
