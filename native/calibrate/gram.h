// Second moments of samples: what least squares needs to know of a layer's inputs and outputs.
#pragma once

#include <cstddef>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// Samples in rows: x (rows, columns) of a layer's inputs, y (rows, outputs) of its outputs.
struct Samples {
  const float* x;
  const float* y;
  size_t rows;
  size_t columns;
  size_t outputs;
};

/// Sums over samples in float64, row-major: xx = Σ x xᵀ, xy = Σ x yᵀ, yy = Σ y² by output, sx = Σ x, sy = Σ y. xx may
/// be null where the inputs' own moments are known.
struct GramSums {
  double* xx;
  double* xy;
  double* yy;
  double* sx;
  double* sy;
};

/// Adds samples to the sums. Every sum is made by one thread in the order of the rows, 128 at a time, so that neither
/// the number of threads nor the instruction set changes a bit; splitting the rows over calls at multiples of 128
/// doesn't either.
void AddSamples(const Samples& samples, const GramSums& sums, Isa isa, ThreadPool& pool);

}  // namespace ssd_prune
