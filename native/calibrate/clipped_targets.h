// Targets of a refit that know the activation behind the layer.
#pragma once

#include <cstddef>

#include "calibrate/gram.h"

namespace ssd_prune {

/// A layer as it stands, and the bounds between which the activation behind it lets values through (±infinity where
/// there is none).
struct ClippedLayer {
  /// (columns, outputs), row-major.
  const double* weights;
  const double* bias;
  double low;
  double high;
};

/// targets (rows, outputs): y, but the layer's own output W x + b where both lie beyond the same bound. There the
/// activation hides any difference, so that the fit need not spend anything on it.
void ClippedTargets(const Samples& samples, const ClippedLayer& layer, float* targets, Isa isa, ThreadPool& pool);

}  // namespace ssd_prune
