// Inner loops of calibration in float64, one set of them for each instruction set.
#pragma once

#include <cstddef>

#include "kernels/isa.h"

namespace ssd_prune {

/// Columns of a packed panel of samples: stored [rows][kPanelWidth].
inline constexpr size_t kPanelWidth = 24;
/// Columns of an A operand: a third of a panel.
inline constexpr size_t kStripe = 8;
/// Right-hand sides that a triangular solve takes at a time: stored [n][kSolveWidth].
inline constexpr size_t kSolveWidth = 16;

struct PanelKernels {
  /// c[i][j] = Σ_k a[k·kPanelWidth + i] · b[k·kPanelWidth + j] for i < kStripe, j < kPanelWidth, k < rows, in order of
  /// k. Products of values that came from float32 are exact, so that every instruction set gives the same bits.
  void (*products)(const double* a, const double* b, size_t rows, double* c);
  /// Solves L x = b in place; L is the lower triangle of an n × n matrix with rows `stride` apart.
  void (*solve_lower)(const double* l, size_t n, size_t stride, double* x);
  /// Solves Lᵀ x = b in place.
  void (*solve_lower_transposed)(const double* l, size_t n, size_t stride, double* x);
  /// row[j] −= Σ_s factor[s] · basis[s·stride + j] for j < n, s < count, in order of s.
  void (*subtract_rows)(double* row, const double* basis, size_t stride, const double* factor, size_t count, size_t n);
};

extern const PanelKernels kPanelKernelsPortable;
extern const PanelKernels kPanelKernelsAvx2;
extern const PanelKernels kPanelKernelsAvx512;

/// The kernels of an instruction set that this machine supports.
const PanelKernels& PanelKernelsOf(Isa isa);

}  // namespace ssd_prune
