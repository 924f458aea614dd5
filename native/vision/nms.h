// Non-maximum suppression of one picture, as Paddle's multiclass_nms does it (eta 1, normalised boxes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssd_prune {

struct NmsSettings {
  /// Only scores above it take part.
  float score_threshold = 0.01F;
  /// A box that overlaps a better one of its class by more goes.
  float iou_threshold = 0.45F;
  /// Boxes of a class that take part, best first; negative for all.
  int64_t top_k = 400;
  /// Boxes of a picture that stay, best first over all classes; negative for all.
  int64_t keep_top_k = 200;
  /// Class that is never reported; negative for none.
  int64_t background = 0;
};

struct Detection {
  uint32_t label;
  float score;
  /// Index of the box.
  uint32_t box;
};

/// Intersection over union of two boxes (xmin, ymin, xmax, ymax); 0 where they do not meet.
float Overlap(const float* a, const float* b);

/// What stays of `count` boxes (`corners`: count, 4) with `scores` (count, classes): by class, best first; equal scores
/// in the order of the boxes. Scores that are not numbers never take part.
std::vector<Detection> MulticlassNms(const float* corners, const float* scores, size_t count, size_t classes,
                                     const NmsSettings& settings);

}  // namespace ssd_prune
