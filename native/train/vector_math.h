// Exponentials and logarithms of many float64 values, compiled once per instruction set. The same bits on every set:
// lanes are different elements and no multiply-add is fused. Errors stay below 4 units in the last place.
#pragma once

#include <cstddef>

#include "kernels/isa.h"

namespace ssd_prune {

/// Counts of elements are multiples of it.
inline constexpr size_t kMathBlock = 8;

inline size_t MathPadded(size_t count) { return (count + kMathBlock - 1) / kMathBlock * kMathBlock; }

struct VectorMath {
  /// out = exp(in) for in <= 0; below -708 as at -708. They may be the same array.
  void (*exp)(const double* in, size_t count, double* out);
  /// p = σ(m), log_p = ln σ(m), log_q = ln σ(-m).
  void (*sigmoid)(const double* m, size_t count, double* p, double* log_p, double* log_q);
};

extern const VectorMath kVectorMathPortable;
extern const VectorMath kVectorMathAvx2;
extern const VectorMath kVectorMathAvx512;

/// The functions of a set that this build has.
const VectorMath& VectorMathOf(Isa isa);

}  // namespace ssd_prune
