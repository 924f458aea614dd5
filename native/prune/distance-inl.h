// Euclidean distances between channels, compiled once per instruction set: the including file defines
// SSD_PRUNE_DISTANCE (the function's name) and SSD_PRUNE_LANES (float64 values in a register). Nothing of std:: may be
// instantiated here: the linker could keep this unit's copy, which older machines can't run.
//
// d[i][j] = √Σ_k (a[i][k] − b[j][k])², the sum in index order: lanes are different j, so every set gives the same bits
// (and no multiply-add is fused).
#include "prune/distance.h"

namespace ssd_prune {
namespace {

typedef double Lanes __attribute__((vector_size(SSD_PRUNE_LANES * sizeof(double)), aligned(8), may_alias));
constexpr size_t kVectors = kPanel / SSD_PRUNE_LANES;
// Rows of `a` at a time: as many as leave their sums in registers.
constexpr size_t kRows = SSD_PRUNE_LANES == 2 ? 2 : 4;
static_assert(kPanel % kRows == 0);

}  // namespace

void SSD_PRUNE_DISTANCE(const double* a, const double* b, size_t length, double* distances) {
  for (size_t row = 0; row < kPanel; row += kRows) {
    Lanes sum[kRows][kVectors] = {};
    for (size_t k = 0; k < length; ++k) {
      const double* a_values = a + k * kPanel + row;
      const Lanes* b_values = reinterpret_cast<const Lanes*>(b + k * kPanel);
      for (size_t r = 0; r < kRows; ++r) {
        for (size_t v = 0; v < kVectors; ++v) {
          const Lanes difference = a_values[r] - b_values[v];
          sum[r][v] += difference * difference;
        }
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      const double* values = reinterpret_cast<const double*>(&sum[r]);
      for (size_t j = 0; j < kPanel; ++j) distances[(row + r) * kPanel + j] = __builtin_sqrt(values[j]);
    }
  }
}

}  // namespace ssd_prune
