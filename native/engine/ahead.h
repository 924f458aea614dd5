// What a pass over rows tells the products to ask for: the rows that it reads next.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/kernels.h"

namespace ssd_prune {

/// Adds `floats` numbers from `from` on; null and none are nothing. Four ranges at most: what is too much is not asked
/// for.
inline void Ask(Ahead& ahead, const float* from, size_t floats) {
  if (from == nullptr || floats == 0) return;
  for (Ahead::Range& range : ahead.ranges) {
    if (range.at >= range.end) {
      range = {from, from + floats};
      return;
    }
  }
}

/// Adds rows [row, end) of a source, `rows` at most.
inline void AskRows(Ahead& ahead, const Source& source, size_t row, size_t rows, size_t end) {
  if (row >= end) return;
  const size_t floats = std::min(rows, end - row) * source.pitch;
  Ask(ahead, source.x + row * source.pitch, floats);
  if (source.second != nullptr) Ask(ahead, source.second + row * source.pitch, floats);
}

/// Spreads what is left over `calls` calls.
inline void Spread(Ahead& ahead, size_t calls) {
  constexpr size_t kLine = 16;
  size_t lines = 0;
  for (const Ahead::Range& range : ahead.ranges) {
    if (range.at < range.end) lines += (static_cast<size_t>(range.end - range.at) + kLine - 1) / kLine;
  }
  ahead.lines = (lines + calls - 1) / std::max<size_t>(calls, 1);
}

}  // namespace ssd_prune
