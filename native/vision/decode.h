// From a detector's raw outputs to boxes and probabilities.
#pragma once

#include <cstddef>

namespace ssd_prune {

/// corners[i] = (xmin, ymin, xmax, ymax) of box i, not clipped, from `offsets` (dx, dy, dw, dh) to `priors` (cx, cy, w,
/// h): centre = prior centre + offset * variance * prior size, size = prior size * exp(offset * variance).
void DecodeCenterSize(const float* offsets, const float* priors, size_t count, const float variances[4],
                      float* corners);

/// Softmax over each of `rows` rows of `columns` scores.
void Softmax(const float* logits, size_t rows, size_t columns, float* probabilities);

}  // namespace ssd_prune
