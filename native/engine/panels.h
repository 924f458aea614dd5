// Packed weights: the second factor of Kernels::multiply_rows. The reduction is cut into blocks of at most
// kPackColumns, each holding panels of `panel` columns. Where products take pairs, `fold` of the reduction's numbers
// lie in one float.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/kernels.h"

namespace ssd_prune {

/// A packed block as the first factor of Kernels::multiply_rows: itself, or as pairs in `room`, which may be the block.
inline const float* LeftFactor(const Kernels& kernels, const float* block, size_t rows, size_t columns, float* room) {
  if (kernels.fold_rows == nullptr) return block;
  kernels.fold_rows(block, kPackPitch, rows, columns, room, kPackPitch);
  return room;
}

/// Makes a packed block, in place, a factor of Kernels::multiply_columns; returns the rows that it has then.
inline size_t FoldColumns(const Kernels& kernels, float* block, size_t rows, size_t columns) {
  if (kernels.fold_columns == nullptr) return rows;
  kernels.fold_columns(block, kPackPitch, rows, columns, block, kPackPitch);
  return (rows + 1) / 2;
}

struct Panels {
  size_t depth;    // length of the reduction
  size_t columns;  // a multiple of 16
  size_t panel;
  size_t fold;

  Panels(size_t depth_of, size_t columns_of, const Kernels& kernels)
      : depth(depth_of), columns(columns_of), panel(kernels.panel), fold(kernels.fold) {}

  size_t blocks() const { return (depth + kPackColumns - 1) / kPackColumns; }
  /// Even blocks: a short last one would spend its time on loading and storing sums.
  size_t BlockBegin(size_t block) const {
    const size_t even = (depth + blocks() - 1) / blocks();
    return std::min(block * ((even + 15) / 16 * 16), depth);
  }
  size_t BlockSize(size_t block) const { return BlockBegin(block + 1) - BlockBegin(block); }
  /// Floats that a block's part of the reduction takes in a column.
  size_t BlockFloats(size_t block) const { return Folded(BlockSize(block)); }
  size_t panels() const { return (columns + panel - 1) / panel; }
  size_t floats() const { return Folded(depth) * panels() * panel; }
  /// Where a block begins, relative to the whole: all but the last have an even size.
  size_t BlockOffset(size_t block) const { return Folded(BlockBegin(block)) * panels() * panel; }
  /// Where column `column` (a multiple of `panel`) of a block begins, relative to the block; rows are `panel` apart.
  size_t PanelOffset(size_t block, size_t column) const { return column * BlockFloats(block); }

 private:
  size_t Folded(size_t count) const { return (count + fold - 1) / fold; }
};

}  // namespace ssd_prune
