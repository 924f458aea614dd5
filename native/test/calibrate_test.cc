#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "calibrate/channel_choice.h"
#include "calibrate/cholesky.h"
#include "calibrate/clipped_targets.h"
#include "calibrate/gram.h"
#include "calibrate/ridge.h"
#include "calibrate/sample_rows.h"

namespace ssd_prune {
namespace {

/// Noise in (−1, 1) that is the same everywhere.
class Noise {
 public:
  explicit Noise(uint32_t seed) : state_(seed) {}
  double operator()() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<double>(state_ >> 8) / 8388608.0 - 1.0;
  }

 private:
  uint32_t state_;
};

template <typename T>
std::vector<T> Random(size_t count, uint32_t seed) {
  Noise noise(seed);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(noise());
  return values;
}

/// AᵀA/rows + ridge·I of noise: positive definite.
std::vector<double> RandomGram(size_t n, size_t rows, double ridge, uint32_t seed) {
  const auto a = Random<double>(rows * n, seed);
  std::vector<double> gram(n * n);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) gram[i * n + j] += a[r * n + i] * a[r * n + j] / static_cast<double>(rows);
    }
  }
  for (size_t i = 0; i < n; ++i) gram[i * n + i] += ridge;
  return gram;
}

/// Gauss–Jordan with pivots: slow and plain. Returns a⁻¹ b for b (n × columns).
std::vector<double> SlowSolve(std::vector<double> a, std::vector<double> b, size_t n, size_t columns) {
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    }
    for (size_t j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
    for (size_t j = 0; j < columns; ++j) std::swap(b[k * columns + j], b[pivot * columns + j]);
    for (size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = a[i * n + k] / a[k * n + k];
      for (size_t j = 0; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
      for (size_t j = 0; j < columns; ++j) b[i * columns + j] -= factor * b[k * columns + j];
    }
  }
  for (size_t k = 0; k < n; ++k) {
    for (size_t j = 0; j < columns; ++j) b[k * columns + j] /= a[k * n + k];
  }
  return b;
}

double MaxDifference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

struct Sums {
  std::vector<double> xx, xy, yy, sx, sy;
  Sums(size_t columns, size_t outputs)
      : xx(columns * columns), xy(columns * outputs), yy(outputs), sx(columns), sy(outputs) {}
  GramSums View() { return {xx.data(), xy.data(), yy.data(), sx.data(), sy.data()}; }
};

class EveryIsa : public ::testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(Calibrate, EveryIsa, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& isa) { return std::string(IsaName(isa.param)); });

TEST_P(EveryIsa, GramIsWhatPlainLoopsGive) {
  for (const auto& [rows, columns, outputs] :
       {std::array<size_t, 3>{1, 1, 1}, {300, 50, 7}, {131, 24, 25}, {128, 73, 1}}) {
    const auto x = Random<float>(rows * columns, 1);
    const auto y = Random<float>(rows * outputs, 2);
    Sums slow(columns, outputs);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < columns; ++i) {
        const double xi = x[r * columns + i];
        slow.sx[i] += xi;
        for (size_t j = 0; j < columns; ++j) slow.xx[i * columns + j] += xi * x[r * columns + j];
        for (size_t o = 0; o < outputs; ++o) slow.xy[i * outputs + o] += xi * y[r * outputs + o];
      }
      for (size_t o = 0; o < outputs; ++o) {
        slow.sy[o] += y[r * outputs + o];
        slow.yy[o] += static_cast<double>(y[r * outputs + o]) * y[r * outputs + o];
      }
    }
    ThreadPool one(1);
    ThreadPool four(4);
    Sums fast(columns, outputs);
    Sums threaded(columns, outputs);
    AddSamples({x.data(), y.data(), rows, columns, outputs}, fast.View(), GetParam(), one);
    AddSamples({x.data(), y.data(), rows, columns, outputs}, threaded.View(), GetParam(), four);
    EXPECT_LT(MaxDifference(fast.xx, slow.xx), 1e-12);
    EXPECT_LT(MaxDifference(fast.xy, slow.xy), 1e-12);
    EXPECT_LT(MaxDifference(fast.yy, slow.yy), 1e-12);
    EXPECT_LT(MaxDifference(fast.sx, slow.sx), 1e-12);
    EXPECT_LT(MaxDifference(fast.sy, slow.sy), 1e-12);
    EXPECT_EQ(fast.xx, threaded.xx);
    EXPECT_EQ(fast.xy, threaded.xy);
    Sums portable(columns, outputs);
    AddSamples({x.data(), y.data(), rows, columns, outputs}, portable.View(), Isa::kPortable, one);
    EXPECT_EQ(fast.xx, portable.xx);
    EXPECT_EQ(fast.xy, portable.xy);
    // Without xx: the same cross moments.
    Sums cross(columns, outputs);
    GramSums view = cross.View();
    view.xx = nullptr;
    AddSamples({x.data(), y.data(), rows, columns, outputs}, view, GetParam(), four);
    EXPECT_EQ(fast.xy, cross.xy);
  }
}

TEST_P(EveryIsa, CholeskyOfAKnownMatrix) {
  // L = (2; 1 3; −1 0.5 1): L Lᵀ by hand.
  std::vector<double> a = {4, 99, 99, 2, 10, 99, -2, 0.5, 2.25};
  ASSERT_TRUE(Cholesky(a.data(), 3, GetParam()));
  EXPECT_EQ(a, (std::vector<double>{2, 99, 99, 1, 3, 99, -1, 0.5, 1}));
  ThreadPool pool(2);
  std::vector<double> b = {2, 7, 0};  // L Lᵀ x = b with x by hand: forward (1, 2, 0), backward (0.1666…, 0.6666…, 0)
  SolveCholesky(a.data(), 3, b.data(), 1, GetParam(), pool);
  EXPECT_NEAR(b[0], 1.0 / 6, 1e-15);
  EXPECT_NEAR(b[1], 2.0 / 3, 1e-15);
  EXPECT_NEAR(b[2], 0, 1e-15);
}

TEST_P(EveryIsa, CholeskyRefusesWhatIsNotDefinite) {
  std::vector<double> zero(4);
  EXPECT_FALSE(Cholesky(zero.data(), 2, GetParam()));
  std::vector<double> indefinite = {1, 2, 2, 1};
  EXPECT_FALSE(Cholesky(indefinite.data(), 2, GetParam()));
  std::vector<double> infinite = {std::numeric_limits<double>::quiet_NaN()};
  EXPECT_FALSE(Cholesky(infinite.data(), 1, GetParam()));
}

TEST_P(EveryIsa, InverseIsTheInverse) {
  for (const size_t n : {1, 7, 16, 17, 40, 83}) {
    const auto gram = RandomGram(n, 2 * n, 1e-3, 3);
    std::vector<double> identity(n * n);
    for (size_t i = 0; i < n; ++i) identity[i * n + i] = 1;
    const auto slow = SlowSolve(gram, identity, n, n);
    auto factor = gram;
    ASSERT_TRUE(Cholesky(factor.data(), n, GetParam()));
    ThreadPool one(1);
    ThreadPool three(3);
    std::vector<double> inverse(n * n);
    std::vector<double> threaded(n * n);
    InvertCholesky(factor.data(), n, inverse.data(), GetParam(), one);
    InvertCholesky(factor.data(), n, threaded.data(), GetParam(), three);
    EXPECT_LT(MaxDifference(inverse, slow), 1e-9) << n;
    EXPECT_EQ(inverse, threaded);
  }
}

TEST_P(EveryIsa, RidgeFitIsWhatGaussGives) {
  const size_t n = 30;
  const size_t outputs = 19;
  const double ridge = 0.01;
  const auto gram = RandomGram(n, 40, 0, 4);
  const auto cross = Random<double>(n * outputs, 5);
  const auto weights = Random<double>(n * outputs, 6);
  std::vector<int32_t> kept;
  for (int32_t i = 0; i < 30; ++i) {
    if (i % 3 != 1) kept.push_back(i);
  }
  const size_t k = kept.size();
  std::vector<double> a(k * k);
  std::vector<double> b(k * outputs);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < k; ++j) a[i * k + j] = gram[kept[i] * n + kept[j]] + (i == j ? ridge : 0);
    for (size_t o = 0; o < outputs; ++o) {
      b[i * outputs + o] = cross[kept[i] * outputs + o] + ridge * weights[kept[i] * outputs + o];
    }
  }
  std::vector<double> fitted(k * outputs);
  ThreadPool pool(2);
  const RidgeProblem problem{gram.data(), cross.data(), weights.data(), n, outputs, ridge};
  ASSERT_TRUE(RidgeFit(problem, kept, fitted.data(), GetParam(), pool));
  EXPECT_LT(MaxDifference(fitted, SlowSolve(a, b, k, outputs)), 1e-9);
}

/// The ridge objective's minimum with only `kept` columns, by Gauss: tr over outputs of
/// −(B + λW₀)_Kᵀ (G + λI)_KK⁻¹ (B + λW₀)_K. What a removal costs is the difference of two of these.
double SlowObjective(const RidgeProblem& p, const std::vector<int32_t>& kept, const std::vector<double>& weight) {
  const size_t k = kept.size();
  std::vector<double> a(k * k);
  std::vector<double> b(k * p.outputs);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < k; ++j) a[i * k + j] = p.gram[kept[i] * p.columns + kept[j]] + (i == j ? p.ridge : 0);
    for (size_t o = 0; o < p.outputs; ++o) {
      b[i * p.outputs + o] = p.cross[kept[i] * p.outputs + o] + p.ridge * p.weights[kept[i] * p.outputs + o];
    }
  }
  const auto w = SlowSolve(a, b, k, p.outputs);
  double sum = 0;
  for (size_t i = 0; i < k; ++i) {
    for (size_t o = 0; o < p.outputs; ++o) sum -= weight[o] * b[i * p.outputs + o] * w[i * p.outputs + o];
  }
  return sum;
}

/// Two readers of the same members: one by single columns (and two columns that belong to nobody), one by blocks of
/// four columns as a 2×2 kernel reads.
TEST_P(EveryIsa, GreedyChoiceIsWhatFullRefitsGive) {
  const size_t members = 9;
  const auto gram1 = RandomGram(11, 30, 0, 7);
  const auto cross1 = Random<double>(11 * 5, 8);
  const auto weights1 = Random<double>(11 * 5, 9);
  const auto gram2 = RandomGram(36, 80, 0, 10);
  const auto cross2 = Random<double>(36 * 3, 11);
  const auto weights2 = Random<double>(36 * 3, 12);
  const std::vector<RidgeProblem> problems = {{gram1.data(), cross1.data(), weights1.data(), 11, 5, 0.02},
                                              {gram2.data(), cross2.data(), weights2.data(), 36, 3, 0.05}};
  const std::vector<std::vector<double>> weight = {{1, 2, 0.5, 1, 1}, {0.3, 0.7, 0.1}};
  std::vector<std::vector<int32_t>> begin(2);
  std::vector<std::vector<int32_t>> columns(2);
  for (int32_t m = 0; m <= 9; ++m) {
    begin[0].push_back(m);
    begin[1].push_back(4 * m);
    if (m < 9) columns[0].push_back(10 - m);
    for (int32_t i = 0; m < 9 && i < 4; ++i) columns[1].push_back(4 * m + i);
  }
  std::vector<uint8_t> may_go(members, 1);
  may_go[4] = 0;

  std::vector<int32_t> slow_order;
  std::vector<double> slow_cost;
  std::vector<std::vector<int32_t>> kept(2);
  kept[0].resize(11);
  kept[1].resize(36);
  for (auto& k : kept) std::iota(k.begin(), k.end(), 0);
  std::vector<bool> gone(members);
  for (int step = 0; step < 8; ++step) {
    int32_t best = -1;
    double least = 0;
    std::vector<std::vector<int32_t>> best_kept;
    for (int32_t m = 0; m < 9; ++m) {
      if (gone[m] || !may_go[m]) continue;
      auto without = kept;
      double cost = 0;
      for (size_t r = 0; r < 2; ++r) {
        std::erase_if(without[r], [&](int32_t c) {
          for (int32_t i = begin[r][m]; i < begin[r][m + 1]; ++i) {
            if (columns[r][i] == c) return true;
          }
          return false;
        });
        cost += SlowObjective(problems[r], without[r], weight[r]) - SlowObjective(problems[r], kept[r], weight[r]);
      }
      if (best < 0 || cost < least) {
        best = m;
        least = cost;
        best_kept = without;
      }
    }
    gone[best] = true;
    kept = best_kept;
    slow_order.push_back(best);
    slow_cost.push_back(least);
  }

  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<std::vector<double>> inverse = {std::vector<double>(11 * 11), std::vector<double>(36 * 36)};
    std::vector<std::vector<double>> fitted = {std::vector<double>(11 * 5), std::vector<double>(36 * 3)};
    std::vector<ChoiceReader> readers;
    for (size_t r = 0; r < 2; ++r) {
      ASSERT_TRUE(RidgeInverse(problems[r], inverse[r].data(), fitted[r].data(), GetParam(), pool));
      readers.push_back({inverse[r].data(), fitted[r].data(), problems[r].columns, problems[r].outputs,
                         weight[r].data(), begin[r], columns[r]});
    }
    std::vector<int32_t> order(8);
    std::vector<double> cost(8);
    ChooseRemovals(readers, may_go, 8, order.data(), cost.data(), GetParam(), pool);
    EXPECT_EQ(order, slow_order);
    EXPECT_LT(MaxDifference(cost, slow_cost), 1e-9);
    // What is left of W is the refit on the kept columns.
    std::vector<double> refit(kept[0].size() * 5);
    ASSERT_TRUE(RidgeFit(problems[0], kept[0], refit.data(), GetParam(), pool));
    for (size_t i = 0; i < kept[0].size(); ++i) {
      for (size_t o = 0; o < 5; ++o) EXPECT_NEAR(fitted[0][kept[0][i] * 5 + o], refit[i * 5 + o], 1e-9);
    }
  }
}

/// Channels 0 … 3: one that is always zero, one constant (zero once centred), and two equal ones. The dead ones go
/// first and cost nothing, then one of the twins for next to nothing.
TEST_P(EveryIsa, DeadAndDoubleChannelsGoFirst) {
  const std::vector<double> gram = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1};
  const std::vector<double> cross = {0, 0, 1, 1};  // y = 0.5·(x₂ + x₃)
  const std::vector<double> weights = {0, 0, 0.5, 0.5};
  const RidgeProblem problem{gram.data(), cross.data(), weights.data(), 4, 1, 1e-3};
  ThreadPool pool(1);
  std::vector<double> inverse(16);
  std::vector<double> fitted(4);
  ASSERT_TRUE(RidgeInverse(problem, inverse.data(), fitted.data(), GetParam(), pool));
  const std::vector<int32_t> begin = {0, 1, 2, 3, 4};
  const std::vector<int32_t> columns = {0, 1, 2, 3};
  const double weight = 1;
  std::vector<ChoiceReader> readers = {{inverse.data(), fitted.data(), 4, 1, &weight, begin, columns}};
  const std::vector<uint8_t> may_go(4, 1);
  std::vector<int32_t> order(4);
  std::vector<double> cost(4);
  ChooseRemovals(readers, may_go, 4, order.data(), cost.data(), GetParam(), pool);
  EXPECT_EQ(order[0], 0);
  EXPECT_EQ(order[1], 1);
  EXPECT_EQ(cost[0] + cost[1], 0);
  EXPECT_LT(cost[2], 1e-3);
  EXPECT_GT(cost[3], 0.9);
}

TEST(SampleRows, IsTheConvolutionsWindow) {
  // Two pictures of two channels, 3 high and 4 wide; a 3×2 window, strides 2 and 1, one row above, one column left.
  const size_t pictures = 2;
  std::vector<float> values(pictures * 2 * 3 * 4);
  std::iota(values.begin(), values.end(), 1.0F);
  const size_t output_width = 4;
  const std::vector<int32_t> positions = {0, 7, 3, 4};
  std::vector<float> rows(4 * 2 * 3 * 2, -1);
  SampleRows({values.data(), pictures, 2, 3, 4, 3, 2, 2, 1, 1, 1, 1, 1, output_width}, positions, rows.data());
  std::vector<float> slow;
  for (size_t p = 0; p < 2; ++p) {
    for (size_t i = 0; i < 2; ++i) {
      const int oy = positions[p * 2 + i] / 4;
      const int ox = positions[p * 2 + i] % 4;
      for (int c = 0; c < 2; ++c) {
        for (int ky = 0; ky < 3; ++ky) {
          for (int kx = 0; kx < 2; ++kx) {
            const int y = oy * 2 + ky - 1;
            const int x = ox + kx - 1;
            const bool inside = y >= 0 && x >= 0 && y < 3 && x < 4;
            slow.push_back(inside ? values[((p * 2 + c) * 3 + y) * 4 + x] : 0);
          }
        }
      }
    }
  }
  EXPECT_EQ(rows, slow);
  // The first position by hand: a row of padding above, a column of padding left.
  EXPECT_EQ(std::vector<float>(rows.begin(), rows.begin() + 6), (std::vector<float>{0, 0, 0, 1, 0, 5}));
}

TEST_P(EveryIsa, ClippedTargetsKeepWhatTheActivationHides) {
  // y = 2x − 1 as the layer stands, clipped to [0, 6].
  const std::vector<float> x = {0, 0, 2, 5, 5};
  const std::vector<float> y = {-3, 1, 7, 7, 5};
  const double weight = 2;
  const double bias = -1;
  std::vector<float> targets(5);
  ThreadPool pool(1);
  ClippedTargets({x.data(), y.data(), 5, 1, 1}, {&weight, &bias, 0, 6}, targets.data(), GetParam(), pool);
  EXPECT_EQ(targets, (std::vector<float>{-1, 1, 7, 9, 5}));
}

TEST_P(EveryIsa, ClippedTargetsWithoutBoundsAreTheOutputs) {
  const auto x = Random<float>(50 * 30, 1);
  const auto y = Random<float>(50 * 27, 2);
  const auto weights = Random<double>(30 * 27, 3);
  const auto bias = Random<double>(27, 4);
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<float> targets(50 * 27);
  ThreadPool pool(2);
  ClippedTargets({x.data(), y.data(), 50, 30, 27}, {weights.data(), bias.data(), -infinity, infinity}, targets.data(),
                 GetParam(), pool);
  EXPECT_EQ(targets, y);
  // Bounds so wide apart the wrong way round that every place is hidden: the layer's own output.
  ClippedTargets({x.data(), y.data(), 50, 30, 27}, {weights.data(), bias.data(), 1e9, infinity}, targets.data(),
                 GetParam(), pool);
  for (size_t r = 0; r < 50; ++r) {
    for (size_t o = 0; o < 27; ++o) {
      double sum = bias[o];
      for (size_t k = 0; k < 30; ++k) sum += x[r * 30 + k] * weights[k * 27 + o];
      EXPECT_NEAR(targets[r * 27 + o], sum, 1e-5);
    }
  }
}

}  // namespace
}  // namespace ssd_prune
