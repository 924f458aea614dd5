// From a decoded picture to its place in a training batch: colours, a larger canvas, a crop of it, resize, mirror,
// normalise, in one pass over the pixels that are seen.
#pragma once

#include "train/distort.h"
#include "vision/resize.h"

namespace ssd_prune {

/// Everything that was drawn for one picture. Pixels of the canvas count from its upper left corner.
struct Augmentation {
  ColourShift colours{};
  /// Where the picture lies on the canvas.
  size_t left = 0;
  size_t top = 0;
  /// The part of the canvas that is seen; not empty.
  size_t crop_left = 0;
  size_t crop_top = 0;
  size_t crop_width = 0;
  size_t crop_height = 0;
  /// What the canvas is where the picture isn't: red, green, blue.
  uint8_t fill[3] = {127, 127, 127};
  bool mirror = false;
};

/// Writes picture `rgb` (height, width, 3) as `augmentation` says to `place`, resized and normalised to `format`.
void AugmentInto(const uint8_t* rgb, size_t width, size_t height, const Augmentation& augmentation,
                 const InputFormat& format, const Place& place);

}  // namespace ssd_prune
