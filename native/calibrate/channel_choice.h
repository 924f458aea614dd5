// Which channels go: structured Optimal Brain Surgeon, one member of a channel group after another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// One reader of the group. `inverse` H = (G + λI)⁻¹ and `fitted` W = H (B + λW₀) are used up by the choice.
struct ChoiceReader {
  double* inverse;
  double* fitted;
  size_t columns;
  size_t outputs;
  /// What an output's squared error counts, by output.
  const double* output_weights;
  /// Columns of member m are member_columns[member_begin[m] … member_begin[m + 1]); several for k×k kernels.
  std::span<const int32_t> member_begin;
  std::span<const int32_t> member_columns;
};

/// Removes `removals` members, always the one whose loss costs least over all readers:
/// Σ_readers Σ_o v_o W_S,oᵀ (H_SS)⁻¹ W_S,o with S its columns; of equal ones the lowest. After each removal
/// W −= H_·S (H_SS)⁻¹ W_S and H −= H_·S (H_SS)⁻¹ H_S· stand for the network without it.
/// order[i] is the member removed at step i, cost[i] what it added to the error. Only members with may_go[m] ≠ 0 are
/// removed; there are at least `removals` of them. The number of threads changes no bit.
void ChooseRemovals(std::span<ChoiceReader> readers, std::span<const uint8_t> may_go, size_t removals, int32_t* order,
                    double* cost, Isa isa, ThreadPool& pool);

}  // namespace ssd_prune
