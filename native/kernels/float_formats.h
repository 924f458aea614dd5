// 16-bit float formats to float32, exactly and without branches, so that loops over them vectorise.
#pragma once

#include <bit>
#include <cstdint>

namespace ssd_prune {

/// IEEE binary16. The shifted bits read as a float32 are the value times 2^-112, subnormals included; infinities and
/// NaNs come out of that as 65536 and more, and get the largest exponent back.
inline float Float16ToFloat(uint16_t half) {
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  const uint32_t special = scaled >= 65536.0f ? 0x7f800000u : 0u;
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special | sign);
}

/// bfloat16: the upper half of a float32.
inline float Bfloat16ToFloat(uint16_t upper) { return std::bit_cast<float>(static_cast<uint32_t>(upper) << 16); }

/// The nearest bfloat16, of two that are as near the even one; infinities stay, and no number is expected.
inline float RoundToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounding = 0x7fffu + (bits >> 16 & 1u);
  return std::bit_cast<float>((bits + rounding) & 0xffff0000u);
}

}  // namespace ssd_prune
