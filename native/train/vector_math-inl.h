// The functions of vector_math.h. The including file defines SSD_PRUNE_VECTOR_MATH, the name of its table, and
// SSD_PRUNE_LANES, float64 values in a register. Nothing of std:: may be instantiated here: the linker could keep this
// unit's copy, which older machines can't run.
#include "train/vector_math.h"

namespace ssd_prune {
namespace {

constexpr size_t kLanes = SSD_PRUNE_LANES;
typedef double Lanes __attribute__((vector_size(kLanes * sizeof(double)), aligned(8), may_alias));
typedef long long Bits __attribute__((vector_size(kLanes * sizeof(double)), aligned(8), may_alias));

inline __attribute__((always_inline)) Lanes ExpOf(Lanes x) {
  const Lanes least = Lanes{} - 708.0;
  x = x < least ? least : x;
  // x = n·ln 2 + r, |r| <= ln 2 / 2. Added to 1.5·2^52, n stands in the low bits.
  const Lanes shift = Lanes{} + 6755399441055744.0;
  const Lanes shifted = x * 1.4426950408889634 + shift;
  const Lanes n = shifted - shift;
  const Lanes r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  // Taylor's polynomial: r^14 / 14! is below 1e-17.
  Lanes sum = Lanes{} + 1.0 / 6227020800;
  sum = sum * r + 1.0 / 479001600;
  sum = sum * r + 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  const Bits power = (reinterpret_cast<const Bits&>(shifted) + 1023) << 52;
  return sum * reinterpret_cast<const Lanes&>(power);
}

/// ln(1 + e) for 0 <= e <= 1: 2·artanh(e / (2 + e)).
inline __attribute__((always_inline)) Lanes Log1pOf(Lanes e) {
  const Lanes s = e / (e + 2.0);
  const Lanes z = s * s;
  Lanes sum = Lanes{} + 1.0 / 33;
  sum = sum * z + 1.0 / 31;
  sum = sum * z + 1.0 / 29;
  sum = sum * z + 1.0 / 27;
  sum = sum * z + 1.0 / 25;
  sum = sum * z + 1.0 / 23;
  sum = sum * z + 1.0 / 21;
  sum = sum * z + 1.0 / 19;
  sum = sum * z + 1.0 / 17;
  sum = sum * z + 1.0 / 15;
  sum = sum * z + 1.0 / 13;
  sum = sum * z + 1.0 / 11;
  sum = sum * z + 1.0 / 9;
  sum = sum * z + 1.0 / 7;
  sum = sum * z + 1.0 / 5;
  sum = sum * z + 1.0 / 3;
  return 2.0 * (s + s * (z * sum));
}

void Exp(const double* in, size_t count, double* out) {
  for (size_t i = 0; i < count; i += kLanes) {
    *reinterpret_cast<Lanes*>(out + i) = ExpOf(*reinterpret_cast<const Lanes*>(in + i));
  }
}

void SigmoidParts(const double* m, size_t count, double* p, double* log_p, double* log_q) {
  for (size_t i = 0; i < count; i += kLanes) {
    const Lanes x = *reinterpret_cast<const Lanes*>(m + i);
    const Lanes zero{};
    const Bits positive = x >= zero;
    const Lanes minus_size = positive ? -x : x;
    const Lanes e = ExpOf(minus_size);
    const Lanes likelier = 1.0 / (e + 1.0);
    const Lanes other = e * likelier;
    const Lanes log_likelier = -Log1pOf(e);
    const Lanes log_other = log_likelier + minus_size;
    *reinterpret_cast<Lanes*>(p + i) = positive ? likelier : other;
    *reinterpret_cast<Lanes*>(log_p + i) = positive ? log_likelier : log_other;
    *reinterpret_cast<Lanes*>(log_q + i) = positive ? log_other : log_likelier;
  }
}

}  // namespace

const VectorMath SSD_PRUNE_VECTOR_MATH = {Exp, SigmoidParts};

}  // namespace ssd_prune
