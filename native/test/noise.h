// Numbers for tests: the same everywhere, also in Python (see pairwise_sum_test.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssd_prune {

/// `count` values in [−1, 1), multiples of 2^-23: ((i · 2654435761 + seed) mod 2^32) / 2^8 / 2^23 − 1.
inline std::vector<float> Noise(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<uint32_t>(i) * 2654435761U + seed;
    values[i] = static_cast<float>(bits >> 8) / 8388608.0F - 1.0F;
  }
  return values;
}

}  // namespace ssd_prune
