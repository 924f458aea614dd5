#include "calibrate/gram.h"

#include <algorithm>
#include <vector>

#include "calibrate/panel_kernels.h"

namespace ssd_prune {
namespace {

/// Rows that are packed at a time: a panel of them stays in the first cache.
constexpr size_t kBlock = 128;

size_t PanelsOf(size_t columns) { return (columns + kPanelWidth - 1) / kPanelWidth; }

/// One panel of a block of rows as float64, padded by zeros.
void Pack(const float* from, size_t rows, size_t columns, size_t first, double* to) {
  const size_t width = std::min(kPanelWidth, columns - first);
  for (size_t row = 0; row < rows; ++row, to += kPanelWidth) {
    const float* values = from + row * columns + first;
    for (size_t i = 0; i < width; ++i) to[i] = values[i];
    std::fill(to + width, to + kPanelWidth, 0.0);
  }
}

void AddColumnSums(const double* panel, size_t rows, size_t width, double* sums, double* squares) {
  for (size_t row = 0; row < rows; ++row, panel += kPanelWidth) {
    for (size_t i = 0; i < width; ++i) {
      sums[i] += panel[i];
      if (squares != nullptr) squares[i] += panel[i] * panel[i];
    }
  }
}

/// Adds a tile of products, kStripe × kPanelWidth, as far as it lies inside the matrix.
void AddTile(const double* tile, size_t row, size_t rows, size_t column, size_t columns, double* sums) {
  const size_t height = std::min(kStripe, rows - row);
  const size_t width = std::min(kPanelWidth, columns - column);
  for (size_t i = 0; i < height; ++i) {
    double* to = sums + (row + i) * columns + column;
    for (size_t j = 0; j < width; ++j) to[j] += tile[i * kPanelWidth + j];
  }
}

}  // namespace

void AddSamples(const Samples& samples, const GramSums& sums, Isa isa, ThreadPool& pool) {
  const PanelKernels& kernels = PanelKernelsOf(isa);
  const auto [x, y, rows, columns, outputs] = samples;
  const size_t x_panels = PanelsOf(columns);
  const size_t panels = x_panels + PanelsOf(outputs);
  constexpr size_t kPanelSize = kBlock * kPanelWidth;
  std::vector<double> packed(panels * kPanelSize);
  for (size_t begin = 0; begin < rows; begin += kBlock) {
    const size_t count = std::min(kBlock, rows - begin);
    pool.ForEach(panels, [&](size_t p) {
      double* panel = &packed[p * kPanelSize];
      if (p < x_panels) {
        const size_t first = p * kPanelWidth;
        Pack(x + begin * columns, count, columns, first, panel);
        AddColumnSums(panel, count, std::min(kPanelWidth, columns - first), sums.sx + first, nullptr);
      } else {
        const size_t first = (p - x_panels) * kPanelWidth;
        Pack(y + begin * outputs, count, outputs, first, panel);
        AddColumnSums(panel, count, std::min(kPanelWidth, outputs - first), sums.sy + first, sums.yy + first);
      }
    });
    // The upper triangle of panels, the lower one being its mirror image; wide rows first.
    pool.ForEach(x_panels, [&](size_t p) {
      double tile[kStripe * kPanelWidth];
      for (size_t q = sums.xx == nullptr ? x_panels : p; q < panels; ++q) {
        for (size_t stripe = 0; stripe < kPanelWidth; stripe += kStripe) {
          const size_t row = p * kPanelWidth + stripe;
          if (row >= columns) break;
          kernels.products(&packed[p * kPanelSize + stripe], &packed[q * kPanelSize], count, tile);
          if (q < x_panels) {
            AddTile(tile, row, columns, q * kPanelWidth, columns, sums.xx);
          } else {
            AddTile(tile, row, columns, (q - x_panels) * kPanelWidth, outputs, sums.xy);
          }
        }
      }
    });
  }
  if (sums.xx == nullptr) return;
  for (size_t i = 0; i < columns; ++i) {
    for (size_t j = i + 1; j < columns; ++j) sums.xx[j * columns + i] = sums.xx[i * columns + j];
  }
}

}  // namespace ssd_prune
