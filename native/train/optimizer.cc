#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ssd_prune {
namespace {

/// Elements of a slice: fixed, so that sums don't depend on the number of threads.
constexpr size_t kSlice = 32768;

size_t PlanesOf(const OptimizerSettings& settings) {
  switch (settings.rule) {
    case Rule::kSgd:
      return settings.momentum == 0.0F ? 0 : 1;
    case Rule::kNesterov:
      return 1;
    case Rule::kRmsProp:
      return settings.momentum == 0.0F ? 1 : 2;
    case Rule::kAdamW:
      break;
  }
  return 2;
}

UpdateKernel* KernelOf(Rule rule, const UpdateKernels& kernels) {
  switch (rule) {
    case Rule::kSgd:
      return kernels.sgd;
    case Rule::kNesterov:
      return kernels.nesterov;
    case Rule::kRmsProp:
      return kernels.rmsprop;
    case Rule::kAdamW:
      break;
  }
  return kernels.adamw;
}

}  // namespace

const UpdateKernels& UpdateKernelsOf(Isa isa) {
#ifdef SSD_PRUNE_X86
  if (isa == Isa::kAvx512) return kUpdateAvx512;
  if (isa == Isa::kAvx2) return kUpdateAvx2;
#endif
  static_cast<void>(isa);
  return kUpdatePortable;
}

Optimizer::Optimizer(const OptimizerSettings& settings, std::span<const ParameterGroup> groups, size_t size, Isa isa)
    : settings_(settings),
      kernels_(UpdateKernelsOf(isa)),
      groups_(groups.begin(), groups.end()),
      planes_(PlanesOf(settings), std::vector<float>(size)),
      average_(settings.average ? size : 0),
      steps_(groups.size()) {
  size_t end = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].begin < end || groups_[g].end < groups_[g].begin || groups_[g].end > size) {
      throw std::invalid_argument("parameter groups overlap, are out of order or leave the array");
    }
    end = groups_[g].end;
    for (size_t at = groups_[g].begin; at < end; at += kSlice) slices_.push_back({g, at, std::min(at + kSlice, end)});
  }
  sums_.resize(slices_.size());
}

void Optimizer::BeginAverage(const float* weights) {
  std::copy(weights, weights + average_.size(), average_.begin());
  average_begun_ = true;
}

double Optimizer::GradientNorm(const float* gradients, const StepSettings& step, ThreadPool& pool) {
  pool.ForEach(slices_.size(), [&](size_t i) {
    const Slice& slice = slices_[i];
    const bool frozen = step.learning_rates[slice.group] == 0.0F;
    sums_[i] = frozen ? 0.0 : kernels_.square_sum(gradients + slice.begin, slice.end - slice.begin);
  });
  double sum = 0.0;
  for (const double part : sums_) sum += part;
  return std::sqrt(sum) * std::abs(static_cast<double>(step.gradient_scale));
}

StepResult Optimizer::Step(float* weights, const float* gradients, const StepSettings& step, ThreadPool& pool) {
  if (settings_.average && !average_begun_) BeginAverage(weights);
  const double norm = GradientNorm(gradients, step, pool);
  if (!std::isfinite(norm)) return {norm, false};
  const bool limited = step.max_norm > 0.0F && norm > static_cast<double>(step.max_norm);
  const double limit = limited ? static_cast<double>(step.max_norm) / norm : 1.0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (step.learning_rates[g] != 0.0F) ++steps_[g];
  }
  UpdateKernel* const kernel = KernelOf(settings_.rule, kernels_);
  pool.ForEach(slices_.size(), [&](size_t i) {
    const auto [group, begin, end] = slices_[i];
    if (step.learning_rates[group] == 0.0F) return;
    const auto taken = static_cast<double>(steps_[group]);
    const bool adam = settings_.rule == Rule::kAdamW;
    const double beta1 = settings_.momentum;
    const double beta2 = settings_.decay;
    kernel({.weights = weights + begin,
            .gradients = gradients + begin,
            .state0 = planes_.empty() ? nullptr : planes_[0].data() + begin,
            .state1 = planes_.size() < 2 ? nullptr : planes_[1].data() + begin,
            .average = settings_.average ? average_.data() + begin : nullptr,
            .count = end - begin,
            .gradient_scale = static_cast<float>(limit * static_cast<double>(step.gradient_scale)),
            .learning_rate = step.learning_rates[group],
            .weight_decay = groups_[group].weight_decay,
            .average_share = 1.0F - step.average_decay,
            .momentum = settings_.momentum,
            .decay = settings_.decay,
            .epsilon = settings_.epsilon,
            .correction1 = adam ? static_cast<float>(1.0 / (1.0 - std::pow(beta1, taken))) : 0.0F,
            .correction2 = adam ? static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, taken))) : 0.0F});
  });
  return {norm, true};
}

}  // namespace ssd_prune
