// Least squares with a ridge toward weights that are there already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// What is known of one reader: centred second moments by sample, gram G = XᵀX/N (columns²) and cross B = XᵀY/N
/// (columns × outputs), and its weights so far W₀ (columns × outputs); all row-major.
struct RidgeProblem {
  const double* gram;
  const double* cross;
  const double* weights;
  size_t columns;
  size_t outputs;
  double ridge;
};

/// fitted (kept.size() × outputs) minimises tr(WᵀG W) − 2 tr(WᵀB) + ridge·‖W − W₀‖² over the kept columns alone:
/// (G_KK + ridge·I) W = B_K + ridge·W₀_K. False where that matrix is not positive definite.
bool RidgeFit(const RidgeProblem& problem, std::span<const int32_t> kept, double* fitted, Isa isa, ThreadPool& pool);

/// inverse = (G + ridge·I)⁻¹ over all columns and fitted = inverse (B + ridge·W₀). False as above.
bool RidgeInverse(const RidgeProblem& problem, double* inverse, double* fitted, Isa isa, ThreadPool& pool);

}  // namespace ssd_prune
