// Matrix products on packed blocks. A tile of the result stays in registers over the whole reduction: its numbers are
// sums in index order, whatever the tile's height, so that the split into tiles changes no bit.
#include "kernels/ahead-inl.h"
#include "kernels/kernels.h"
#include "kernels/lanes-inl.h"

namespace ssd_prune {
namespace {

#if SSD_PRUNE_LANES == 16
constexpr size_t kTileRows = 14;  // 14·2 sums, 2 of b, 1 of a: 31 of 32 registers
constexpr size_t kOuterRows = 8;  // 8·3 sums, 3 of b, 1 of a
#else
constexpr size_t kTileRows = 6;   // 6·2 sums, 2 of b, 1 of a: 15 of 16 registers
constexpr size_t kOuterRows = 4;  // 4·3 sums, 3 of b, 1 of a
#endif
constexpr size_t kTileVectors = 2;
constexpr size_t kOuterVectors = 3;
constexpr size_t kPanel = kTileVectors * kLanes;

template <size_t kRows, size_t kVectors>
void StoreTile(const Lanes (&sum)[kRows][kVectors], float* c, size_t c_pitch, bool add) {
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      float* at = c + r * c_pitch + v * kLanes;
      Store(at, add ? Load(at) + sum[r][v] : sum[r][v]);
    }
  }
}

template <size_t kRows, size_t kVectors>
void RowsTile(const float* a, size_t k, const float* b, float* c, size_t c_pitch, bool add) {
  Lanes sum[kRows][kVectors] = {};
  for (size_t i = 0; i < k; ++i) {
    Lanes row[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) row[v] = Load(b + i * kPanel + v * kLanes);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      const Lanes factor = Fill(a[r * kPackPitch + i]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = Term(factor, row[v], sum[r][v]);
    }
  }
  StoreTile(sum, c, c_pitch, add);
}

template <size_t kRows>
void RowsTileOf(size_t rows, const float* a, size_t k, const float* b, bool whole_panel, float* c, size_t c_pitch,
                bool add) {
  if (rows == kRows) {
    if (whole_panel) return RowsTile<kRows, kTileVectors>(a, k, b, c, c_pitch, add);
    return RowsTile<kRows, 1>(a, k, b, c, c_pitch, add);
  }
  if constexpr (kRows > 1) RowsTileOf<kRows - 1>(rows, a, k, b, whole_panel, c, c_pitch, add);
}

/// Panels outside, tiles inside: a panel of b stays in the first-level cache while the block's rows pass by.
void MultiplyRows(const float* a, size_t rows, size_t k, const float* b, size_t columns, float* c, size_t c_pitch,
                  bool add, Ahead* ahead) {
  const size_t tiles = (rows + kTileRows - 1) / kTileRows;
  const size_t lines = LinesEach(ahead, tiles * ((columns + kPanel - 1) / kPanel));
  for (size_t column = 0; column < columns; column += kPanel) {
    const bool whole_panel = columns - column >= kPanel;
    // Tiles as even as can be: a last tile of one row would run at a fraction of the speed.
    for (size_t tile = 0, row = 0; tile < tiles; ++tile) {
      const size_t end = rows * (tile + 1) / tiles;
      Fetch(ahead, lines);
      RowsTileOf<kTileRows>(end - row, a + row * kPackPitch, k, b + column * k, whole_panel, c + row * c_pitch + column,
                            c_pitch, add);
      row = end;
    }
  }
}

template <size_t kRows, size_t kVectors>
void ColumnsTile(const float* a, const float* b, size_t rows, float* c, size_t c_pitch, bool add) {
  Lanes sum[kRows][kVectors] = {};
  for (size_t i = 0; i < rows; ++i) {
    Lanes row[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) row[v] = Load(b + i * kPackPitch + v * kLanes);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      const Lanes factor = Fill(a[i * kPackPitch + r]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = Term(factor, row[v], sum[r][v]);
    }
  }
  StoreTile(sum, c, c_pitch, add);
}

template <size_t kRows>
void ColumnsTileOf(size_t tile_rows, size_t vectors, const float* a, const float* b, size_t rows, float* c,
                   size_t c_pitch, bool add) {
  if (tile_rows == kRows) {
    if (vectors >= 3) return ColumnsTile<kRows, 3>(a, b, rows, c, c_pitch, add);
    if (vectors == 2) return ColumnsTile<kRows, 2>(a, b, rows, c, c_pitch, add);
    return ColumnsTile<kRows, 1>(a, b, rows, c, c_pitch, add);
  }
  if constexpr (kRows > 1) ColumnsTileOf<kRows - 1>(tile_rows, vectors, a, b, rows, c, c_pitch, add);
}

void MultiplyColumns(const float* a, size_t a_columns, const float* b, size_t b_columns, size_t rows, float* c,
                     size_t c_pitch, bool add, Ahead* ahead) {
  const size_t tiles = (a_columns + kOuterRows - 1) / kOuterRows;
  const size_t lines = LinesEach(ahead, tiles * ((b_columns + kOuterVectors * kLanes - 1) / (kOuterVectors * kLanes)));
  for (size_t column = 0; column < b_columns; column += kOuterVectors * kLanes) {
    const size_t vectors = (b_columns - column) / kLanes;
    for (size_t tile = 0, from = 0; tile < tiles; ++tile) {
      const size_t end = a_columns * (tile + 1) / tiles;
      Fetch(ahead, lines);
      ColumnsTileOf<kOuterRows>(end - from, vectors, a + from, b + column, rows, c + from * c_pitch + column, c_pitch,
                                add);
      from = end;
    }
  }
}

}  // namespace
}  // namespace ssd_prune
