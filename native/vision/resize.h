// From a decoded picture to its place in a batch: resize, channel order, (value - mean) / std, float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace ssd_prune {

enum class ResizeKernel { kNearest = 0, kBilinear = 1, kBicubic = 2, kLanczos3 = 3, kArea = 4 };

/// What a detector wants to see.
struct InputFormat {
  size_t width = 0;
  size_t height = 0;
  ResizeKernel kernel = ResizeKernel::kBilinear;
  /// true: the kernel widens when it shrinks, in two passes that round to 8 bits, as Pillow resizes. false: the kernel
  /// keeps its width, half-pixel centres, edges repeated, nothing rounded, as TensorFlow 2 and PyTorch interpolate
  /// (cubic with a = -0.75 there, -0.5 in Pillow). Nearest and area know no difference.
  bool antialias = false;
  /// Blue first.
  bool bgr = false;
  /// In the order of the output's channels.
  float mean[3] = {0, 0, 0};
  float std[3] = {1, 1, 1};
};

/// What is resized: `width` by `height` pixels (not 0), of which a picture covers a rectangle; the rest is `fill`.
struct Canvas {
  size_t width = 0;
  size_t height = 0;
  size_t left = 0;
  size_t top = 0;
  size_t covered_width = 0;
  size_t covered_height = 0;
  /// Red, green, blue.
  uint8_t fill[3] = {0, 0, 0};
  /// The covered part of covered row y: pixels of three bytes, valid until the next call. Asked for ascending y, for
  /// the same one perhaps more than once, for some perhaps never.
  std::function<const uint8_t*(size_t y)> row;
};

/// Where float32 values go: channel c of pixel (x, y) to first[c * channel + y * row + x * pixel].
struct Place {
  float* first;
  ptrdiff_t pixel;
  ptrdiff_t row;
  ptrdiff_t channel;
};

/// Writes a canvas to (format.width, format.height) pixels of `place`.
void ResizeCanvas(const Canvas& canvas, const InputFormat& format, const Place& place);

/// Writes picture `rgb` (height, width, 3 of 8 bits) to `out` (3, format.height, format.width). Sizes are not 0.
void ResizeInto(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out);

}  // namespace ssd_prune
