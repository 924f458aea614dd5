#include "calibrate/channel_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibrate/panel_kernels.h"

namespace ssd_prune {
namespace {

using Columns = std::span<const int32_t>;

Columns ColumnsOf(const ChoiceReader& reader, size_t member) {
  const auto begin = static_cast<size_t>(reader.member_begin[member]);
  return reader.member_columns.subspan(begin, static_cast<size_t>(reader.member_begin[member + 1]) - begin);
}

/// Lower factor of H_SS in `factor` (|S|², row-major). A pivot that rounding made vanish counts as the smallest normal
/// number: such a column is a combination of others, and costs what its weights say at once.
void FactorBlock(const ChoiceReader& reader, Columns s, std::vector<double>& factor) {
  const size_t n = s.size();
  factor.resize(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double value = reader.inverse[static_cast<size_t>(s[i]) * reader.columns + static_cast<size_t>(s[j])];
      for (size_t k = 0; k < j; ++k) value -= factor[i * n + k] * factor[j * n + k];
      factor[i * n + j] =
          i == j ? std::sqrt(std::max(value, std::numeric_limits<double>::min())) : value / factor[j * n + j];
    }
  }
}

/// Σ_o v_o ‖L⁻¹ W_S,o‖² with L the factor of H_SS.
double CostOf(const ChoiceReader& reader, Columns s, std::vector<double>& factor, std::vector<double>& solved) {
  const size_t n = s.size();
  FactorBlock(reader, s, factor);
  solved.resize(n * reader.outputs);
  double cost = 0;
  for (size_t i = 0; i < n; ++i) {
    const double* w = reader.fitted + static_cast<size_t>(s[i]) * reader.outputs;
    double* z = &solved[i * reader.outputs];
    const double pivot = factor[i * n + i];
    for (size_t o = 0; o < reader.outputs; ++o) {
      double value = w[o];
      for (size_t k = 0; k < i; ++k) value -= factor[i * n + k] * solved[k * reader.outputs + o];
      z[o] = value / pivot;
      cost += reader.output_weights[o] * z[o] * z[o];
    }
  }
  return cost;
}

/// Takes the columns S out of a reader's H and W.
class Elimination {
 public:
  Elimination(ChoiceReader& reader, Columns s) : reader_(reader), s_(s.begin(), s.end()) {
    const size_t n = s_.size();
    FactorBlock(reader, s, factor_);
    rows_h_.resize(n * reader.columns);
    rows_w_.resize(n * reader.outputs);
    for (size_t i = 0; i < n; ++i) {
      const auto column = static_cast<size_t>(s_[i]);
      std::copy_n(reader.inverse + column * reader.columns, reader.columns, &rows_h_[i * reader.columns]);
      std::copy_n(reader.fitted + column * reader.outputs, reader.outputs, &rows_w_[i * reader.outputs]);
    }
  }

  /// Row i of both matrices.
  void Row(size_t i, const PanelKernels& kernels, std::vector<double>& factors) const {
    const size_t n = s_.size();
    double* h = reader_.inverse + i * reader_.columns;
    double* w = reader_.fitted + i * reader_.outputs;
    if (std::find(s_.begin(), s_.end(), static_cast<int32_t>(i)) != s_.end()) {
      std::fill_n(h, reader_.columns, 0.0);
      std::fill_n(w, reader_.outputs, 0.0);
      return;
    }
    // (H_SS)⁻¹ H_S,i by the factor: forward, then backward.
    factors.resize(n);
    for (size_t k = 0; k < n; ++k) {
      double value = h[s_[k]];
      for (size_t q = 0; q < k; ++q) value -= factor_[k * n + q] * factors[q];
      factors[k] = value / factor_[k * n + k];
    }
    for (size_t k = n; k-- > 0;) {
      double value = factors[k];
      for (size_t q = k + 1; q < n; ++q) value -= factor_[q * n + k] * factors[q];
      factors[k] = value / factor_[k * n + k];
    }
    kernels.subtract_rows(h, rows_h_.data(), reader_.columns, factors.data(), n, reader_.columns);
    kernels.subtract_rows(w, rows_w_.data(), reader_.outputs, factors.data(), n, reader_.outputs);
    for (const int32_t column : s_) h[column] = 0;
  }

 private:
  ChoiceReader& reader_;
  std::vector<int32_t> s_;
  std::vector<double> factor_;
  std::vector<double> rows_h_;
  std::vector<double> rows_w_;
};

/// Values worth waking another thread for.
constexpr size_t kPieceValues = 32 * 1024;

}  // namespace

void ChooseRemovals(std::span<ChoiceReader> readers, std::span<const uint8_t> may_go, size_t removals, int32_t* order,
                    double* cost, Isa isa, ThreadPool& pool) {
  const PanelKernels& kernels = PanelKernelsOf(isa);
  std::vector<uint8_t> open(may_go.begin(), may_go.end());
  std::vector<std::vector<uint8_t>> alive;
  size_t cost_values = 1;
  for (const ChoiceReader& reader : readers) {
    alive.emplace_back(reader.columns, 1);
    cost_values += reader.member_columns.size() / std::max<size_t>(1, open.size()) * reader.outputs;
  }
  std::vector<double> costs(open.size());
  const size_t members_a_piece = std::max<size_t>(1, kPieceValues / cost_values);
  for (size_t step = 0; step < removals; ++step) {
    pool.ForEach((open.size() + members_a_piece - 1) / members_a_piece, [&](size_t piece) {
      std::vector<double> factor;
      std::vector<double> solved;
      const size_t end = std::min(open.size(), (piece + 1) * members_a_piece);
      for (size_t m = piece * members_a_piece; m < end; ++m) {
        costs[m] = 0;
        if (!open[m]) continue;
        for (const ChoiceReader& reader : readers) costs[m] += CostOf(reader, ColumnsOf(reader, m), factor, solved);
      }
    });
    size_t best = open.size();
    for (size_t m = 0; m < open.size(); ++m) {
      if (open[m] && (best == open.size() || costs[m] < costs[best])) best = m;
    }
    open[best] = 0;
    order[step] = static_cast<int32_t>(best);
    cost[step] = costs[best];
    for (size_t r = 0; r < readers.size(); ++r) {
      const Columns s = ColumnsOf(readers[r], best);
      if (s.empty()) continue;
      const Elimination elimination(readers[r], s);
      const size_t rows_a_piece = std::max<size_t>(1, kPieceValues / (readers[r].columns + readers[r].outputs));
      pool.ForEach((readers[r].columns + rows_a_piece - 1) / rows_a_piece, [&](size_t piece) {
        std::vector<double> factors;
        const size_t end = std::min(readers[r].columns, (piece + 1) * rows_a_piece);
        for (size_t i = piece * rows_a_piece; i < end; ++i) {
          if (alive[r][i]) elimination.Row(i, kernels, factors);
        }
      });
      for (const int32_t column : s) alive[r][static_cast<size_t>(column)] = 0;
    }
  }
}

}  // namespace ssd_prune
