// bfloat16 by its definition, one number at a time.
#pragma once

#include <bit>
#include <cstdint>

namespace ssd_prune {

/// The nearest bfloat16 of a finite number, of two that are as near the even one.
inline float ToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

}  // namespace ssd_prune
