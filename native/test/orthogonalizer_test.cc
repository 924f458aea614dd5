#include "train/orthogonalizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "random.h"

namespace ssd_prune {
namespace {

using Matrix = std::vector<double>;

/// a (m × k) times b (k × n).
Matrix Product(const Matrix& a, const Matrix& b, size_t m, size_t k, size_t n) {
  Matrix c(m * n, 0.0);
  for (size_t i = 0; i < m; ++i) {
    for (size_t l = 0; l < k; ++l) {
      for (size_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
  return c;
}

Matrix Transposed(const Matrix& a, size_t rows, size_t columns) {
  Matrix t(a.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) t[j * rows + i] = a[i * columns + j];
  }
  return t;
}

/// The formula of orthogonalizer.h as it stands there, in float64: X (m × n), m ≥ n or not.
Matrix Reference(const std::vector<float>& g, size_t m, size_t n) {
  Matrix x(g.begin(), g.end());
  double squares = 0.0;
  for (const double value : x) squares += value * value;
  for (double& value : x) value /= std::sqrt(squares) + 1e-7;
  for (int step = 0; step < 5; ++step) {
    const Matrix gram = Product(Transposed(x, m, n), x, n, m, n);
    Matrix polynomial = Product(gram, gram, n, n, n);
    for (size_t i = 0; i < n * n; ++i) polynomial[i] = 2.0315 * polynomial[i] - 4.7750 * gram[i];
    const Matrix more = Product(x, polynomial, m, n, n);
    for (size_t i = 0; i < m * n; ++i) x[i] = 3.4445 * x[i] + more[i];
  }
  return x;
}

TEST(Orthogonalizer, IsTheFormulaInEveryShape) {
  ThreadPool pool(2);
  const std::pair<size_t, size_t> shapes[] = {{1, 1},   {8, 8},    {5, 130},   {130, 5},  {37, 53},
                                              {53, 37}, {300, 70}, {113, 260}, {270, 264}};
  for (const Isa isa : SupportedIsas()) {
    Orthogonalizer orthogonalizer(300, 264, isa);
    for (const auto& [rows, columns] : shapes) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + " " + std::string(IsaName(isa)));
      std::vector<float> matrix = RandomFloats(rows * columns, rows + columns);
      const Matrix expected = Reference(matrix, rows, columns);
      orthogonalizer.Run(matrix.data(), rows, columns, pool);
      double worst = 0.0;
      for (size_t i = 0; i < matrix.size(); ++i) worst = std::max(worst, std::abs(matrix[i] - expected[i]));
      EXPECT_LT(worst, 2e-4 / std::sqrt(static_cast<double>(std::max(rows, columns))) + 1e-5);
    }
  }
}

// Bfloat16 leaves the directions: singular values are only to come near 1, and land somewhere from 0.7 to 1.2.
TEST(Orthogonalizer, Bfloat16ComesNear) {
  ThreadPool pool(2);
  for (const Isa isa : SupportedIsas()) {
    if (!HasPrecision(isa, Precision::kBfloat16)) continue;
    Orthogonalizer exact(300, 272, isa);
    Orthogonalizer rounded(300, 272, isa, Precision::kBfloat16);
    for (const auto& [rows, columns] : {std::pair<size_t, size_t>{8, 8}, {37, 53}, {300, 70}, {113, 260}, {272, 271}}) {
      const std::vector<float> matrix = RandomFloats(rows * columns, rows + columns);
      std::vector<float> expected = matrix;
      std::vector<float> found = matrix;
      exact.Run(expected.data(), rows, columns, pool);
      rounded.Run(found.data(), rows, columns, pool);
      double norm = 0.0;
      double apart = 0.0;
      for (size_t i = 0; i < matrix.size(); ++i) {
        norm += double{expected[i]} * expected[i];
        apart += (double{found[i]} - expected[i]) * (double{found[i]} - expected[i]);
      }
      EXPECT_LT(std::sqrt(apart / norm), 0.05) << rows << " x " << columns;
      EXPECT_GT(apart, 0.0);
    }
  }
}

TEST(Orthogonalizer, BringsSingularValuesTowardsOne) {
  ThreadPool pool(1);
  constexpr size_t kSide = 40;
  Orthogonalizer orthogonalizer(kSide, kSide, SupportedIsas().front());
  std::vector<float> matrix(kSide * kSide, 0.0F);
  // Singular values from 1 down to a hundredth, columns in another order.
  const auto place = [](size_t i) { return i * kSide + (7 * i + 3) % kSide; };
  for (size_t i = 0; i < kSide; ++i) matrix[place(i)] = std::pow(0.01F, static_cast<float>(i) / (kSide - 1));
  orthogonalizer.Run(matrix.data(), kSide, kSide, pool);
  for (size_t i = 0; i < kSide; ++i) {
    EXPECT_GT(matrix[place(i)], 0.3) << i;
    EXPECT_LT(matrix[place(i)], 1.3) << i;
    matrix[place(i)] = 0.0F;
  }
  for (const float rest : matrix) EXPECT_EQ(rest, 0.0F);
}

TEST(Orthogonalizer, NothingStaysNothing) {
  ThreadPool pool(1);
  std::vector<float> matrix(12, 0.0F);
  Orthogonalizer(4, 3, SupportedIsas().front()).Run(matrix.data(), 4, 3, pool);
  EXPECT_EQ(matrix, std::vector<float>(12, 0.0F));
}

TEST(Orthogonalizer, ThreadsChangeNoBit) {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    Orthogonalizer orthogonalizer(700, 270, SupportedIsas().front());
    std::vector<float> matrix = RandomFloats(700 * 270, 3);
    orthogonalizer.Run(matrix.data(), 270, 700, pool);
    results.push_back(std::move(matrix));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace ssd_prune
