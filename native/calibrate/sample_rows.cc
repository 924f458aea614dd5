#include "calibrate/sample_rows.h"

#include <algorithm>

namespace ssd_prune {
namespace {

/// Channels that are written side by side: a cache line of the row at a time.
constexpr size_t kChannels = 16;

}  // namespace

void SampleRows(const WindowedInput& input, std::span<const int32_t> positions, float* rows) {
  const size_t places = positions.size() / std::max<size_t>(1, input.pictures);
  const size_t window = input.kernel_height * input.kernel_width;
  const size_t columns = input.channels * window;
  const size_t plane = input.height * input.width;
  for (size_t picture = 0; picture < input.pictures; ++picture) {
    const float* values = input.values + picture * input.channels * plane;
    for (size_t first = 0; first < input.channels; first += kChannels) {
      const size_t last = std::min(input.channels, first + kChannels);
      for (size_t i = 0; i < places; ++i) {
        const auto position = static_cast<size_t>(positions[picture * places + i]);
        const auto y0 = static_cast<int64_t>(position / input.output_width * input.stride_y) - input.pad_top;
        const auto x0 = static_cast<int64_t>(position % input.output_width * input.stride_x) - input.pad_left;
        float* row = rows + (picture * places + i) * columns;
        for (size_t ky = 0; ky < input.kernel_height; ++ky) {
          const int64_t y = y0 + static_cast<int64_t>(ky * input.dilation_y);
          for (size_t kx = 0; kx < input.kernel_width; ++kx) {
            const int64_t x = x0 + static_cast<int64_t>(kx * input.dilation_x);
            const bool inside =
                y >= 0 && x >= 0 && y < static_cast<int64_t>(input.height) && x < static_cast<int64_t>(input.width);
            const float* from =
                inside ? values + static_cast<size_t>(y) * input.width + static_cast<size_t>(x) : nullptr;
            float* to = row + ky * input.kernel_width + kx;
            for (size_t c = first; c < last; ++c) to[c * window] = inside ? from[c * plane] : 0.0F;
          }
        }
      }
    }
  }
}

}  // namespace ssd_prune
