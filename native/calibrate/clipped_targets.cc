#include "calibrate/clipped_targets.h"

#include <algorithm>
#include <vector>

#include "calibrate/panel_kernels.h"

namespace ssd_prune {

void ClippedTargets(const Samples& samples, const ClippedLayer& layer, float* targets, Isa isa, ThreadPool& pool) {
  const PanelKernels& kernels = PanelKernelsOf(isa);
  const auto [x, y, rows, columns, outputs] = samples;
  const size_t panels = (outputs + kPanelWidth - 1) / kPanelWidth;
  std::vector<double> weights(panels * columns * kPanelWidth);
  for (size_t p = 0; p < panels; ++p) {
    const size_t width = std::min(kPanelWidth, outputs - p * kPanelWidth);
    for (size_t k = 0; k < columns; ++k) {
      std::copy_n(layer.weights + k * outputs + p * kPanelWidth, width, &weights[(p * columns + k) * kPanelWidth]);
    }
  }
  // A panel of samples, turned so that the sum over columns runs as the sum over rows does in a Gram matrix.
  pool.ForEach((rows + kPanelWidth - 1) / kPanelWidth, [&](size_t block) {
    const size_t first = block * kPanelWidth;
    const size_t count = std::min(kPanelWidth, rows - first);
    std::vector<double> turned(columns * kPanelWidth);
    for (size_t i = 0; i < count; ++i) {
      const float* row = x + (first + i) * columns;
      for (size_t k = 0; k < columns; ++k) turned[k * kPanelWidth + i] = row[k];
    }
    double tile[kStripe * kPanelWidth];
    for (size_t stripe = 0; stripe < count; stripe += kStripe) {
      for (size_t p = 0; p < panels; ++p) {
        kernels.products(&turned[stripe], &weights[p * columns * kPanelWidth], columns, tile);
        const size_t width = std::min(kPanelWidth, outputs - p * kPanelWidth);
        for (size_t i = 0; i < std::min(kStripe, count - stripe); ++i) {
          const size_t at = (first + stripe + i) * outputs + p * kPanelWidth;
          for (size_t j = 0; j < width; ++j) {
            const double own = tile[i * kPanelWidth + j] + layer.bias[p * kPanelWidth + j];
            const double wanted = y[at + j];
            const bool hidden =
                (own <= layer.low && wanted <= layer.low) || (own >= layer.high && wanted >= layer.high);
            targets[at + j] = hidden ? static_cast<float>(own) : y[at + j];
          }
        }
      }
    }
  });
}

}  // namespace ssd_prune
