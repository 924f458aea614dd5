#include "calibrate/cholesky.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "calibrate/panel_kernels.h"

namespace ssd_prune {
namespace {

/// The factor of a small matrix, in place; s has rows kSolveWidth apart.
bool FactorDiagonal(double* s, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = j; i < n; ++i) {
      double value = s[i * kSolveWidth + j];
      for (size_t k = 0; k < j; ++k) value -= s[i * kSolveWidth + k] * s[j * kSolveWidth + k];
      if (i > j) {
        s[i * kSolveWidth + j] = value / s[j * kSolveWidth + j];
      } else {
        if (!(value > 0) || !std::isfinite(value)) return false;
        s[j * kSolveWidth + j] = std::sqrt(value);
      }
    }
  }
  return true;
}

}  // namespace

// By bordering: the rows I of the factor are (L₀⁻¹ A[0…I, I])ᵀ, with L₀ what is there already, so that nearly all of
// the work is a triangular solve with many right-hand sides.
bool Cholesky(double* a, size_t n, Isa isa) {
  const PanelKernels& kernels = PanelKernelsOf(isa);
  std::vector<double> panel(n * kSolveWidth);
  for (size_t begin = 0; begin < n; begin += kSolveWidth) {
    const size_t width = std::min(kSolveWidth, n - begin);
    for (size_t j = 0; j < begin; ++j) {
      for (size_t c = 0; c < width; ++c) panel[j * kSolveWidth + c] = a[(begin + c) * n + j];
      for (size_t c = width; c < kSolveWidth; ++c) panel[j * kSolveWidth + c] = 0;
    }
    kernels.solve_lower(a, begin, n, panel.data());
    double rest[kSolveWidth * kSolveWidth] = {};
    for (size_t j = 0; j < begin; ++j) {
      const double* row = &panel[j * kSolveWidth];
      for (size_t i = 0; i < width; ++i) {
        a[(begin + i) * n + j] = row[i];
        for (size_t k = 0; k <= i; ++k) rest[i * kSolveWidth + k] -= row[i] * row[k];
      }
    }
    for (size_t i = 0; i < width; ++i) {
      for (size_t k = 0; k <= i; ++k) rest[i * kSolveWidth + k] += a[(begin + i) * n + begin + k];
    }
    if (!FactorDiagonal(rest, width)) return false;
    for (size_t i = 0; i < width; ++i) std::copy_n(&rest[i * kSolveWidth], i + 1, &a[(begin + i) * n + begin]);
  }
  return true;
}

void SolveCholesky(const double* l, size_t n, double* b, size_t columns, Isa isa, ThreadPool& pool) {
  const PanelKernels& kernels = PanelKernelsOf(isa);
  pool.ForEach((columns + kSolveWidth - 1) / kSolveWidth, [&](size_t p) {
    const size_t first = p * kSolveWidth;
    const size_t width = std::min(kSolveWidth, columns - first);
    std::vector<double> panel(n * kSolveWidth);
    for (size_t i = 0; i < n; ++i) std::copy_n(b + i * columns + first, width, &panel[i * kSolveWidth]);
    kernels.solve_lower(l, n, n, panel.data());
    kernels.solve_lower_transposed(l, n, n, panel.data());
    for (size_t i = 0; i < n; ++i) std::copy_n(&panel[i * kSolveWidth], width, b + i * columns + first);
  });
}

void InvertCholesky(const double* l, size_t n, double* inverse, Isa isa, ThreadPool& pool) {
  std::fill_n(inverse, n * n, 0.0);
  for (size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  SolveCholesky(l, n, inverse, n, isa, pool);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      inverse[i * n + j] = inverse[j * n + i] = (inverse[i * n + j] + inverse[j * n + i]) / 2;
    }
  }
}

}  // namespace ssd_prune
