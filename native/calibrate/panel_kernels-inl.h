// The kernels of panel_kernels.h, compiled once per instruction set: the including file defines SSD_PRUNE_KERNELS (the
// name of the set) and SSD_PRUNE_LANES (float64 values in a register). Nothing of std:: may be instantiated here: the
// linker could keep this unit's copy, which older machines can't run.
#include "calibrate/panel_kernels.h"

#if SSD_PRUNE_LANES > 2
#include <immintrin.h>
#endif

namespace ssd_prune {
namespace {

typedef double Lanes __attribute__((vector_size(SSD_PRUNE_LANES * sizeof(double)), aligned(8), may_alias));

inline Lanes MulAdd(Lanes a, Lanes b, Lanes c) {
#if SSD_PRUNE_LANES == 8
  return _mm512_fmadd_pd(a, b, c);
#elif SSD_PRUNE_LANES == 4
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}

inline Lanes Broadcast(double value) { return value - Lanes{}; }

// As many rows at a time as leave their sums in registers.
constexpr size_t kRows = SSD_PRUNE_LANES == 8 ? 8 : SSD_PRUNE_LANES == 4 ? 2 : 1;
constexpr size_t kPanelVectors = kPanelWidth / SSD_PRUNE_LANES;
constexpr size_t kSolveVectors = kSolveWidth / SSD_PRUNE_LANES;
static_assert(kStripe % kRows == 0);

void Products(const double* a, const double* b, size_t rows, double* c) {
  for (size_t first = 0; first < kStripe; first += kRows) {
    Lanes sum[kRows][kPanelVectors] = {};
    for (size_t k = 0; k < rows; ++k) {
      const double* a_values = a + k * kPanelWidth + first;
      const Lanes* b_values = reinterpret_cast<const Lanes*>(b + k * kPanelWidth);
      for (size_t r = 0; r < kRows; ++r) {
        const Lanes value = Broadcast(a_values[r]);
        for (size_t v = 0; v < kPanelVectors; ++v) sum[r][v] = MulAdd(value, b_values[v], sum[r][v]);
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      Lanes* to = reinterpret_cast<Lanes*>(c + (first + r) * kPanelWidth);
      for (size_t v = 0; v < kPanelVectors; ++v) to[v] = sum[r][v];
    }
  }
}

inline Lanes* Row(double* x, size_t i) { return reinterpret_cast<Lanes*>(x + i * kSolveWidth); }

/// Rows i … i + kCount − 1 of the forward substitution, all rows before being solved.
template <size_t kCount>
inline void ForwardRows(const double* l, size_t stride, size_t i, double* x) {
  Lanes sum[kCount][kSolveVectors];
  for (size_t r = 0; r < kCount; ++r) {
    for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = Row(x, i + r)[v];
  }
  for (size_t j = 0; j < i; ++j) {
    const Lanes* solved = Row(x, j);
    for (size_t r = 0; r < kCount; ++r) {
      const Lanes factor = Broadcast(-l[(i + r) * stride + j]);
      for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = MulAdd(factor, solved[v], sum[r][v]);
    }
  }
  for (size_t r = 0; r < kCount; ++r) {
    const double* row = l + (i + r) * stride + i;
    for (size_t q = 0; q < r; ++q) {
      const Lanes factor = Broadcast(-row[q]);
      for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = MulAdd(factor, sum[q][v], sum[r][v]);
    }
    for (size_t v = 0; v < kSolveVectors; ++v) Row(x, i + r)[v] = sum[r][v] = sum[r][v] / Broadcast(row[r]);
  }
}

/// Rows i … i + kCount − 1 of the backward substitution with Lᵀ, all rows behind being solved.
template <size_t kCount>
inline void BackwardRows(const double* l, size_t n, size_t stride, size_t i, double* x) {
  Lanes sum[kCount][kSolveVectors];
  for (size_t r = 0; r < kCount; ++r) {
    for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = Row(x, i + r)[v];
  }
  for (size_t j = i + kCount; j < n; ++j) {
    const Lanes* solved = Row(x, j);
    const double* row = l + j * stride + i;
    for (size_t r = 0; r < kCount; ++r) {
      const Lanes factor = Broadcast(-row[r]);
      for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = MulAdd(factor, solved[v], sum[r][v]);
    }
  }
  for (size_t r = kCount; r-- > 0;) {
    for (size_t q = r + 1; q < kCount; ++q) {
      const Lanes factor = Broadcast(-l[(i + q) * stride + i + r]);
      for (size_t v = 0; v < kSolveVectors; ++v) sum[r][v] = MulAdd(factor, sum[q][v], sum[r][v]);
    }
    const Lanes pivot = Broadcast(l[(i + r) * stride + i + r]);
    for (size_t v = 0; v < kSolveVectors; ++v) Row(x, i + r)[v] = sum[r][v] = sum[r][v] / pivot;
  }
}

void SolveLower(const double* l, size_t n, size_t stride, double* x) {
  size_t i = 0;
  for (; i + kRows <= n; i += kRows) ForwardRows<kRows>(l, stride, i, x);
  for (; i < n; ++i) ForwardRows<1>(l, stride, i, x);
}

void SolveLowerTransposed(const double* l, size_t n, size_t stride, double* x) {
  size_t end = n;
  for (; end % kRows != 0; --end) BackwardRows<1>(l, n, stride, end - 1, x);
  for (; end > 0; end -= kRows) BackwardRows<kRows>(l, n, stride, end - kRows, x);
}

void SubtractRows(double* row, const double* basis, size_t stride, const double* factor, size_t count, size_t n) {
  size_t j = 0;
  for (; j + SSD_PRUNE_LANES <= n; j += SSD_PRUNE_LANES) {
    Lanes value = *reinterpret_cast<Lanes*>(row + j);
    for (size_t s = 0; s < count; ++s) {
      value = MulAdd(Broadcast(-factor[s]), *reinterpret_cast<const Lanes*>(basis + s * stride + j), value);
    }
    *reinterpret_cast<Lanes*>(row + j) = value;
  }
  for (; j < n; ++j) {
    for (size_t s = 0; s < count; ++s) row[j] -= factor[s] * basis[s * stride + j];
  }
}

}  // namespace

const PanelKernels SSD_PRUNE_KERNELS = {Products, SolveLower, SolveLowerTransposed, SubtractRows};

}  // namespace ssd_prune
