// A weight tensor as the criteria see it, and how its elements are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/float_formats.h"
#include "prune/rank.h"

namespace ssd_prune {

/// A tensor seen along the ranked axis: [outer, channels, inner] in C order.
struct ChannelView {
  const std::byte* bytes;  // aligned or not
  DataType type;
  size_t outer;
  size_t channels;
  size_t inner;
};

struct Float32Element {
  static constexpr size_t kSize = 4;
  static double Load(const std::byte* from) {
    float value;
    std::memcpy(&value, from, kSize);
    return static_cast<double>(value);
  }
};

struct Float64Element {
  static constexpr size_t kSize = 8;
  static double Load(const std::byte* from) {
    double value;
    std::memcpy(&value, from, kSize);
    return value;
  }
};

template <float (*kToFloat)(uint16_t)>
struct SixteenBitElement {
  static constexpr size_t kSize = 2;
  static double Load(const std::byte* from) {
    uint16_t bits;
    std::memcpy(&bits, from, kSize);
    return static_cast<double>(kToFloat(bits));
  }
};

/// Calls visit with the element reader of `type`.
template <class Visit>
void WithElement(DataType type, Visit&& visit) {
  switch (type) {
    case DataType::kFloat32:
      return visit(Float32Element());
    case DataType::kFloat16:
      return visit(SixteenBitElement<Float16ToFloat>());
    case DataType::kBfloat16:
      return visit(SixteenBitElement<Bfloat16ToFloat>());
    case DataType::kFloat64:
      return visit(Float64Element());
  }
}

}  // namespace ssd_prune
