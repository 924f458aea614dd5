// Factorisation and solution of symmetric positive definite systems in float64.
#pragma once

#include <cstddef>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// Replaces the lower triangle of a (n × n, row-major) by L with L Lᵀ = a; the upper triangle is neither read nor
/// changed. False, with a spoilt, where a pivot is not positive or not finite.
bool Cholesky(double* a, size_t n, Isa isa);

/// Solves L Lᵀ x = b in place for every column of b (n × columns, row-major). The number of threads changes no bit.
void SolveCholesky(const double* l, size_t n, double* b, size_t columns, Isa isa, ThreadPool& pool);

/// inverse = (L Lᵀ)⁻¹, both triangles, exactly symmetric.
void InvertCholesky(const double* l, size_t n, double* inverse, Isa isa, ThreadPool& pool);

}  // namespace ssd_prune
