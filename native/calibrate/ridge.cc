#include "calibrate/ridge.h"

#include <numeric>
#include <vector>

#include "calibrate/cholesky.h"

namespace ssd_prune {
namespace {

/// L of G_KK + ridge·I in `factor`, B_K + ridge·W₀_K in `right`.
bool Factor(const RidgeProblem& problem, std::span<const int32_t> kept, std::vector<double>& factor, double* right,
            Isa isa) {
  const auto [gram, cross, weights, columns, outputs, ridge] = problem;
  const size_t n = kept.size();
  factor.resize(n * n);
  for (size_t i = 0; i < n; ++i) {
    const auto from = static_cast<size_t>(kept[i]);
    for (size_t j = 0; j < n; ++j) factor[i * n + j] = gram[from * columns + static_cast<size_t>(kept[j])];
    factor[i * n + i] += ridge;
    for (size_t o = 0; o < outputs; ++o) {
      right[i * outputs + o] = cross[from * outputs + o] + ridge * weights[from * outputs + o];
    }
  }
  return Cholesky(factor.data(), n, isa);
}

}  // namespace

bool RidgeFit(const RidgeProblem& problem, std::span<const int32_t> kept, double* fitted, Isa isa, ThreadPool& pool) {
  std::vector<double> factor;
  if (!Factor(problem, kept, factor, fitted, isa)) return false;
  SolveCholesky(factor.data(), kept.size(), fitted, problem.outputs, isa, pool);
  return true;
}

bool RidgeInverse(const RidgeProblem& problem, double* inverse, double* fitted, Isa isa, ThreadPool& pool) {
  std::vector<int32_t> all(problem.columns);
  std::iota(all.begin(), all.end(), 0);
  std::vector<double> factor;
  if (!Factor(problem, all, factor, fitted, isa)) return false;
  SolveCholesky(factor.data(), all.size(), fitted, problem.outputs, isa, pool);
  InvertCholesky(factor.data(), all.size(), inverse, isa, pool);
  return true;
}

}  // namespace ssd_prune
