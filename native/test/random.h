// Test numbers: small, of both signs, the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssd_prune {

/// Values in [-1, 1) from a linear congruential generator.
inline std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  std::vector<float> values(count);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1p-31f;
  }
  return values;
}

}  // namespace ssd_prune
