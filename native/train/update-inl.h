// The rules of update.h. The including file defines SSD_PRUNE_UPDATE, the name of its table. Nothing of std:: may be
// instantiated here: the linker could keep this unit's copy, which older machines can't run.
#include "train/update.h"

namespace ssd_prune {
namespace {

/// Calls rule(weight, gradient, i), which gives the new weight, for every element; then moves the average.
template <typename Rule>
inline __attribute__((always_inline)) void ForEachElement(const UpdateArguments& a, const Rule& rule) {
  float* __restrict weights = a.weights;
  const float* __restrict gradients = a.gradients;
  const float scale = a.gradient_scale;
  if (a.average == nullptr) {
    for (size_t i = 0; i < a.count; ++i) weights[i] = rule(weights[i], gradients[i] * scale, i);
    return;
  }
  float* __restrict average = a.average;
  const float share = a.average_share;
  for (size_t i = 0; i < a.count; ++i) {
    const float weight = rule(weights[i], gradients[i] * scale, i);
    weights[i] = weight;
    average[i] += share * (weight - average[i]);
  }
}

void Descend(const UpdateArguments& a) {
  const float rate = a.learning_rate;
  const float weight_decay = a.weight_decay;
  ForEachElement(a, [=](float w, float g, size_t) { return w - rate * (g + weight_decay * w); });
}

void Sgd(const UpdateArguments& a) {
  if (a.state0 == nullptr) return Descend(a);
  float* __restrict velocity = a.state0;
  const float rate = a.learning_rate;
  const float weight_decay = a.weight_decay;
  const float momentum = a.momentum;
  ForEachElement(a, [=](float w, float g, size_t i) {
    const float v = momentum * velocity[i] + (g + weight_decay * w);
    velocity[i] = v;
    return w - rate * v;
  });
}

void Nesterov(const UpdateArguments& a) {
  float* __restrict velocity = a.state0;
  const float rate = a.learning_rate;
  const float weight_decay = a.weight_decay;
  const float momentum = a.momentum;
  ForEachElement(a, [=](float w, float g, size_t i) {
    const float slope = g + weight_decay * w;
    const float v = momentum * velocity[i] + slope;
    velocity[i] = v;
    return w - rate * (slope + momentum * v);
  });
}

void RmsProp(const UpdateArguments& a) {
  float* __restrict mean_square = a.state0;
  float* __restrict velocity = a.state1;
  const float rate = a.learning_rate;
  const float weight_decay = a.weight_decay;
  const float momentum = a.momentum;
  const float rho = a.decay;
  const float rest = 1.0F - rho;
  const float epsilon = a.epsilon;
  const auto move = [=](float w, float g, size_t i) {
    const float slope = g + weight_decay * w;
    const float r = rho * mean_square[i] + rest * (slope * slope);
    mean_square[i] = r;
    return rate * slope / __builtin_sqrtf(r + epsilon);
  };
  if (velocity == nullptr) {
    ForEachElement(a, [=](float w, float g, size_t i) { return w - move(w, g, i); });
    return;
  }
  ForEachElement(a, [=](float w, float g, size_t i) {
    const float v = momentum * velocity[i] + move(w, g, i);
    velocity[i] = v;
    return w - v;
  });
}

void AdamW(const UpdateArguments& a) {
  float* __restrict mean = a.state0;
  float* __restrict mean_square = a.state1;
  const float rate = a.learning_rate * a.correction1;
  const float keep = 1.0F - a.learning_rate * a.weight_decay;
  const float beta1 = a.momentum;
  const float beta2 = a.decay;
  const float rest1 = 1.0F - beta1;
  const float rest2 = 1.0F - beta2;
  const float correction2 = a.correction2;
  const float epsilon = a.epsilon;
  ForEachElement(a, [=](float w, float g, size_t i) {
    const float m = beta1 * mean[i] + rest1 * g;
    const float v = beta2 * mean_square[i] + rest2 * (g * g);
    mean[i] = m;
    mean_square[i] = v;
    return keep * w - rate * m / (__builtin_sqrtf(v) * correction2 + epsilon);
  });
}

void MuonDirection(const UpdateArguments& a) {
  float* __restrict mean = a.state0;
  float* __restrict direction = a.state1;
  const float* __restrict gradients = a.gradients;
  const float momentum = a.momentum;
  const float rest = 1.0F - momentum;
  const float scale = a.gradient_scale;
  for (size_t i = 0; i < a.count; ++i) {
    const float g = gradients[i] * scale;
    const float m = mean[i] + rest * (g - mean[i]);
    mean[i] = m;
    direction[i] = g + momentum * (m - g);
  }
}

void Follow(const UpdateArguments& a) {
  const float* __restrict weights = a.weights;
  float* __restrict average = a.average;
  const float share = a.average_share;
  for (size_t i = 0; i < a.count; ++i) average[i] += share * (weights[i] - average[i]);
}

double SquareSum(const float* values, size_t count) {
  double sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  for (size_t lane = 0; i < count; ++i, ++lane) {
    const double value = values[i];
    sums[lane] += value * value;
  }
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  return sum;
}

}  // namespace

const UpdateKernels SSD_PRUNE_UPDATE = {Sgd, Nesterov, RmsProp, AdamW, MuonDirection, Descend, Follow, SquareSum};

}  // namespace ssd_prune
