// Samples of a layer's input or output: the values that one place of the output sees, as a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ssd_prune {

/// A batch of activations (pictures, channels, height, width) and the window that slides over it. A layer's own output
/// is read with a 1×1 window.
struct WindowedInput {
  const float* values;
  size_t pictures;
  size_t channels;
  size_t height;
  size_t width;
  size_t kernel_height;
  size_t kernel_width;
  size_t stride_y;
  size_t stride_x;
  size_t dilation_y;
  size_t dilation_x;
  /// Rows and columns of zeros before the first; what lies beyond the other end is zero, too.
  int64_t pad_top;
  int64_t pad_left;
  /// Places in a row of the output, by which positions count.
  size_t output_width;
};

/// One row of channels · kernel_height · kernel_width values, in the order of a filter's weights, for each picture and
/// each of its positions: positions (pictures, n) hold y · output_width + x. rows is (pictures · n, columns).
/// On the caller's thread alone: every lane of a calibration samples its own pictures.
void SampleRows(const WindowedInput& input, std::span<const int32_t> positions, float* rows);

}  // namespace ssd_prune
