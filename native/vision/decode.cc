#include "vision/decode.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {

void DecodeCenterSize(const float* offsets, const float* priors, size_t count, const float variances[4],
                      float* corners) {
  for (size_t i = 0; i < count; ++i) {
    const float* prior = priors + 4 * i;
    const float* offset = offsets + 4 * i;
    const float x = variances[0] * offset[0] * prior[2] + prior[0];
    const float y = variances[1] * offset[1] * prior[3] + prior[1];
    const float w = std::exp(variances[2] * offset[2]) * prior[2];
    const float h = std::exp(variances[3] * offset[3]) * prior[3];
    corners[4 * i] = x - w / 2;
    corners[4 * i + 1] = y - h / 2;
    corners[4 * i + 2] = x + w / 2;
    corners[4 * i + 3] = y + h / 2;
  }
}

void Softmax(const float* logits, size_t rows, size_t columns, float* probabilities) {
  for (size_t row = 0; row < rows; ++row) {
    const float* in = logits + row * columns;
    float* out = probabilities + row * columns;
    const float top = *std::max_element(in, in + columns);
    float sum = 0.0F;
    for (size_t c = 0; c < columns; ++c) {
      out[c] = std::exp(in[c] - top);
      sum += out[c];
    }
    for (size_t c = 0; c < columns; ++c) out[c] /= sum;
  }
}

}  // namespace ssd_prune
