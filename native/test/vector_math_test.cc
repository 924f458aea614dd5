#include "train/vector_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ssd_prune {
namespace {

/// Difference in units in the last place of the expected value.
double Units(double value, double expected) {
  const double unit = std::nextafter(std::abs(expected), std::numeric_limits<double>::infinity()) - std::abs(expected);
  return std::abs(value - expected) / unit;
}

TEST(VectorMath, ExpIsTheLibrarys) {
  std::vector<double> in = {0.0, -1e-300, -1e-17, -1.0, -0.34657, -0.34658, -700.0, -708.0};
  for (int i = 0; i < 4000; ++i) in.push_back(-0.01 * i - 1e-5 * i * i);
  in.resize(MathPadded(in.size()), -1.0);
  for (const Isa isa : SupportedIsas()) {
    std::vector<double> out(in.size());
    VectorMathOf(isa).exp(in.data(), in.size(), out.data());
    double worst = 0.0;
    for (size_t i = 0; i < in.size(); ++i) worst = std::max(worst, Units(out[i], std::exp(in[i])));
    EXPECT_LT(worst, 4.0) << IsaName(isa);
    EXPECT_EQ(out[0], 1.0);
  }
}

TEST(VectorMath, ExpOfLessIsThatOfTheLeast) {
  const std::vector<double> in = {-708.0, -709.0, -1e6, -1e300, -std::numeric_limits<double>::infinity(), 0, 0, 0};
  for (const Isa isa : SupportedIsas()) {
    double out[8];
    VectorMathOf(isa).exp(in.data(), 8, out);
    for (size_t i = 1; i < 5; ++i) EXPECT_EQ(out[i], out[0]);
    EXPECT_GT(out[0], 0.0);
  }
}

TEST(VectorMath, SigmoidIsTheLibrarys) {
  std::vector<double> m = {0.0, -0.0, 1e-12, -1e-12, 700.0, -700.0, 36.7, -36.7};
  for (int i = -2000; i < 2000; ++i) m.push_back(0.0173 * i);
  for (const Isa isa : SupportedIsas()) {
    std::vector<double> p(m.size());
    std::vector<double> log_p(m.size());
    std::vector<double> log_q(m.size());
    VectorMathOf(isa).sigmoid(m.data(), m.size(), p.data(), log_p.data(), log_q.data());
    double worst = 0.0;
    for (size_t i = 0; i < m.size(); ++i) {
      const double e = std::exp(-std::abs(m[i]));
      const double small = -std::log1p(e);
      const double big = small - std::abs(m[i]);
      worst = std::max(worst, Units(p[i], m[i] >= 0 ? 1 / (1 + e) : e / (1 + e)));
      worst = std::max(worst, Units(log_p[i], m[i] >= 0 ? small : big));
      worst = std::max(worst, Units(log_q[i], m[i] >= 0 ? big : small));
    }
    EXPECT_LT(worst, 6.0) << IsaName(isa);
  }
}

}  // namespace
}  // namespace ssd_prune
