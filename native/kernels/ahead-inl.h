// Asking for memory that is needed soon: see Ahead.
#pragma once

#include "kernels/kernels.h"

namespace ssd_prune {
namespace {

constexpr size_t kLineFloats = 16;

/// Lines to ask for at each of `tiles` tiles.
inline size_t LinesEach(const Ahead* ahead, size_t tiles) {
  return ahead == nullptr || tiles == 0 ? 0 : (ahead->lines + tiles - 1) / tiles;
}

/// Into the second-level cache: the first is full of what is computed on.
inline void Fetch(Ahead* ahead, size_t lines) {
  if (lines == 0) return;
  for (Ahead::Range& range : ahead->ranges) {
    for (; lines > 0 && range.at < range.end; --lines, range.at += kLineFloats) __builtin_prefetch(range.at, 0, 2);
  }
}

}  // namespace
}  // namespace ssd_prune
