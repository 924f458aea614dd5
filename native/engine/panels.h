// Packed weights: the second factor of Kernels::multiply_rows. The reduction is cut into blocks of at most
// kPackColumns, each holding panels of `panel` columns.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/kernels.h"

namespace ssd_prune {

struct Panels {
  size_t depth;    // length of the reduction
  size_t columns;  // a multiple of 16
  size_t panel;

  size_t blocks() const { return (depth + kPackColumns - 1) / kPackColumns; }
  /// Even blocks: a short last one would spend its time on loading and storing sums.
  size_t BlockBegin(size_t block) const {
    const size_t even = (depth + blocks() - 1) / blocks();
    return std::min(block * ((even + 15) / 16 * 16), depth);
  }
  size_t BlockSize(size_t block) const { return BlockBegin(block + 1) - BlockBegin(block); }
  size_t panels() const { return (columns + panel - 1) / panel; }
  size_t floats() const { return depth * panels() * panel; }
  /// Where a block begins, relative to the whole.
  size_t BlockOffset(size_t block) const { return BlockBegin(block) * panels() * panel; }
  /// Where column `column` (a multiple of `panel`) of a block begins, relative to the block; rows are `panel` apart.
  size_t PanelOffset(size_t block, size_t column) const { return column * BlockSize(block); }
};

}  // namespace ssd_prune
