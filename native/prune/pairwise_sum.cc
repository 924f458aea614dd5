#include "prune/pairwise_sum.h"

#include <cmath>

namespace ssd_prune {

float PairwiseAbsSum(const float* values, size_t count) {
  if (count < 8) {
    float sum = 0;
    for (size_t i = 0; i < count; ++i) sum += std::fabs(values[i]);
    return sum;
  }
  if (count > 128) {
    const size_t half = count / 2 / 8 * 8;
    return PairwiseAbsSum(values, half) + PairwiseAbsSum(values + half, count - half);
  }
  float part[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) part[lane] += std::fabs(values[i + lane]);
  }
  float sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  for (; i < count; ++i) sum += std::fabs(values[i]);
  return sum;
}

}  // namespace ssd_prune
