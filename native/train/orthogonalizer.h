// What Muon makes of a gradient: a matrix with the same singular vectors whose singular values are all near 1.
//
// Five Newton-Schulz steps X ← a·X + X·(b·XᵀX + c·(XᵀX)²) with a = 3.4445, b = -4.7750, c = 2.0315, from X = G / ‖G‖
// (Jordan et al., Muon, 2024): small values grow fast, none ends far above 1.
#pragma once

#include <cstddef>

#include "engine/buffer.h"
#include "engine/panels.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

class Orthogonalizer {
 public:
  /// Room for matrices whose sides are at most so long. `precision` of the products alone.
  Orthogonalizer(size_t longer, size_t shorter, Isa isa, Precision precision = Precision::kFloat32);

  /// Replaces `matrix` (rows × columns, row-major); one of zeros stays. Takes 5·(3·s²·l + s³) / 2 multiply-adds for
  /// sides s ≤ l: of the two symmetric products one half is computed. The number of threads changes no bit, the
  /// instruction set does.
  void Run(float* matrix, size_t rows, size_t columns, ThreadPool& pool);

  size_t bytes() const {
    const size_t squares = gram_.size() + square_.size() + packed_.size();
    return (x_.size() + squares + product_.size() + folded_.size()) * sizeof(float);
  }

 private:
  /// c = mᵀ·m of an upright matrix of `rows` rows in blocks of columns, and so is c.
  void Square(const float* matrix, size_t rows, const Panels& panels, float* c, ThreadPool& pool);
  /// The polynomial of the Gram matrix as the second factor of a product.
  void Pack(const Panels& panels, ThreadPool& pool);
  void Multiply(size_t rows, const Panels& panels, ThreadPool& pool);

  const Kernels& kernels_;
  Buffer x_;        // the matrix, upright, in blocks of columns
  Buffer gram_;     // XᵀX
  Buffer square_;   // (XᵀX)²
  Buffer packed_;   // b·XᵀX + c·(XᵀX)² in panels
  Buffer product_;  // X times that
  Buffer folded_;   // with bfloat16: factors as pairs
};

}  // namespace ssd_prune
