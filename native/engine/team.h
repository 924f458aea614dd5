// Parallel loops of a step: a fixed number of slices, whoever computes them, and scratch memory for each worker.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>

#include "engine/buffer.h"
#include "kernels/kernels.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// Most slices that a reduction is cut into. The number depends on shapes alone, never on threads: every slice has its
/// own sums, added up in slice order, so that the number of threads changes no bit.
inline constexpr size_t kMaxSlices = 32;

class Team {
 public:
  Team(ThreadPool& pool, const Kernels& loops, size_t scratch_floats)
      : kernels(loops),
        pool_(pool),
        scratch_floats_((scratch_floats + 31) / 16 * 16),
        scratch_(scratch_floats_ * static_cast<size_t>(pool.size())) {}

  const Kernels& kernels;

  size_t size() const { return static_cast<size_t>(pool_.size()); }
  size_t bytes() const { return scratch_.size() * sizeof(float); }

  /// Calls body(slice, scratch) for every slice below `slices`; at most one call at a time has the same scratch.
  template <typename Body>
  void For(size_t slices, const Body& body) {
    std::atomic<size_t> next{0};
    const auto work = [&](size_t worker) {
      float* scratch = scratch_.data() + worker * scratch_floats_;
      for (size_t slice = next.fetch_add(1); slice < slices; slice = next.fetch_add(1)) body(slice, scratch);
    };
    // By reference: a function object that holds the captures themselves would be allocated anew each time.
    pool_.ForEach(std::min(slices, static_cast<size_t>(pool_.size())), std::ref(work));
  }

 private:
  ThreadPool& pool_;
  size_t scratch_floats_;
  Buffer scratch_;
};

/// First index of slice `slice` when `count` things are cut into `slices`.
inline size_t SliceBegin(size_t count, size_t slices, size_t slice) { return count * slice / slices; }

}  // namespace ssd_prune
