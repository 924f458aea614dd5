// One pass of an optimiser's rule over a stretch of flat arrays, compiled once per instruction set.
#pragma once

#include <cstddef>

#include "kernels/isa.h"

namespace ssd_prune {

/// Arrays of `count` float32. `state0`, `state1` and `average` are null where the rule or the caller has none.
struct UpdateArguments {
  float* weights;
  const float* gradients;
  float* state0;
  float* state1;
  /// Exponential average of the weights, moved towards the new ones by `average_share` of the way.
  float* average;
  size_t count;
  /// Gradients count times this much.
  float gradient_scale;
  float learning_rate;
  float weight_decay;
  float average_share;
  /// SGD, RMSProp: momentum. AdamW: β1.
  float momentum;
  /// RMSProp: ρ. AdamW: β2.
  float decay;
  float epsilon;
  /// AdamW: 1 / (1 - β1^t) and 1 / √(1 - β2^t).
  float correction1;
  float correction2;
};

using UpdateKernel = void(const UpdateArguments& arguments);

/// Every set gives the same bits: lanes are different elements and no multiply-add is fused.
struct UpdateKernels {
  /// g += decay·w; v = momentum·v + g; w -= rate·v. Without state0 it is plain descent.
  UpdateKernel* sgd;
  /// As sgd, but w -= rate·(g + momentum·v).
  UpdateKernel* nesterov;
  /// Paddle's: g += decay·w; r = ρ·r + (1 - ρ)·g²; v = momentum·v + rate·g / √(r + ε); w -= v. state0 is r, state1 v
  /// (null: no momentum).
  UpdateKernel* rmsprop;
  /// w -= rate·decay·w; m = β1·m + (1 - β1)·g; v = β2·v + (1 - β2)·g²; w -= rate·m·c1 / (√v·c2 + ε).
  UpdateKernel* adamw;
  /// Σ g² in float64, in eight interleaved sums.
  double (*square_sum)(const float* values, size_t count);
};

extern const UpdateKernels kUpdatePortable;
extern const UpdateKernels kUpdateAvx2;
extern const UpdateKernels kUpdateAvx512;

/// The kernels of a set that this build has.
const UpdateKernels& UpdateKernelsOf(Isa isa);

}  // namespace ssd_prune
