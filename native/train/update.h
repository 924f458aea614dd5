// One pass of an optimiser's rule over a stretch of flat arrays, compiled once per instruction set.
#pragma once

#include <cstddef>

#include "kernels/isa.h"

namespace ssd_prune {

/// Arrays of `count` float32. `state0`, `state1` and `average` are null where the rule or the caller has none.
struct UpdateArguments {
  float* weights = nullptr;
  const float* gradients = nullptr;
  float* state0 = nullptr;
  float* state1 = nullptr;
  /// Exponential average of the weights, moved towards the new ones by `average_share` of the way.
  float* average = nullptr;
  size_t count = 0;
  /// Gradients count times this much.
  float gradient_scale = 0.0F;
  float learning_rate = 0.0F;
  float weight_decay = 0.0F;
  float average_share = 0.0F;
  /// SGD, RMSProp, Muon: momentum. AdamW: β1.
  float momentum = 0.0F;
  /// RMSProp: ρ. AdamW: β2.
  float decay = 0.0F;
  float epsilon = 0.0F;
  /// AdamW: 1 / (1 - β1^t) and 1 / √(1 - β2^t).
  float correction1 = 0.0F;
  float correction2 = 0.0F;
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
  /// m += (1 - momentum)·(g - m); state1 = g + momentum·(m - g): where a matrix is to go. state0 is m. Neither weights
  /// nor average are touched.
  UpdateKernel* muon_direction;
  /// w -= rate·(g + decay·w).
  UpdateKernel* descend;
  /// Only moves the average towards the weights.
  UpdateKernel* follow;
  /// Σ g² in float64, in eight interleaved sums.
  double (*square_sum)(const float* values, size_t count);
};

extern const UpdateKernels kUpdatePortable;
extern const UpdateKernels kUpdateAvx2;
extern const UpdateKernels kUpdateAvx512;

/// The kernels of a set that this build has.
const UpdateKernels& UpdateKernelsOf(Isa isa);

}  // namespace ssd_prune
