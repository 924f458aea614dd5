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
    case Rule::kMuon:
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
    case Rule::kMuon:
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

Optimizer::Optimizer(const OptimizerSettings& settings, std::span<const ParameterGroup> groups, size_t size, Isa isa,
                     Precision precision)
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
    AddSlices(kNoGroup, end, groups_[g].begin);
    end = groups_[g].end;
    AddSlices(g, groups_[g].begin, end);
  }
  AddSlices(kNoGroup, end, size);
  sums_.resize(slices_.size());
  size_t longest = 0;
  size_t shortest = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (!IsMatrix(g)) continue;
    const size_t count = groups_[g].end - groups_[g].begin;
    if (count % groups_[g].columns != 0) throw std::invalid_argument("a matrix whose columns don't divide it");
    const size_t rows = count / groups_[g].columns;
    longest = std::max(longest, std::max(rows, groups_[g].columns));
    shortest = std::max(shortest, std::min(rows, groups_[g].columns));
    direction_.resize(std::max(direction_.size(), count));
  }
  if (!direction_.empty()) orthogonalizer_.emplace(longest, shortest, isa, precision);
}

void Optimizer::AddSlices(size_t group, size_t begin, size_t end) {
  for (size_t at = begin; at < end; at += kSlice) slices_.push_back({group, at, std::min(at + kSlice, end)});
}

double Optimizer::GradientNorm(const float* gradients, const StepSettings& step, ThreadPool& pool) {
  pool.ForEach(slices_.size(), [&](size_t i) {
    const Slice& slice = slices_[i];
    sums_[i] = Trains(slice, step) ? kernels_.square_sum(gradients + slice.begin, slice.end - slice.begin) : 0.0;
  });
  double sum = 0.0;
  for (const double part : sums_) sum += part;
  return std::sqrt(sum) * std::abs(static_cast<double>(step.gradient_scale));
}

StepResult Optimizer::Step(float* weights, const float* gradients, const StepSettings& step, ThreadPool& pool) {
  const double norm = GradientNorm(gradients, step, pool);
  if (!std::isfinite(norm)) return {norm, false};
  if (settings_.average && !average_begun_) {
    std::copy(weights, weights + average_.size(), average_.begin());
    average_begun_ = true;
  }
  const bool limited = step.max_norm > 0.0F && norm > static_cast<double>(step.max_norm);
  const double limit = limited ? static_cast<double>(step.max_norm) / norm : 1.0;
  const auto gradient_scale = static_cast<float>(limit * static_cast<double>(step.gradient_scale));
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (step.learning_rates[g] != 0.0F) ++steps_[g];
  }
  UpdateKernel* const kernel = KernelOf(settings_.rule, kernels_);
  pool.ForEach(slices_.size(), [&](size_t i) {
    const Slice& slice = slices_[i];
    UpdateArguments arguments{.weights = weights + slice.begin,
                              .gradients = gradients + slice.begin,
                              .average = settings_.average ? average_.data() + slice.begin : nullptr,
                              .count = slice.end - slice.begin,
                              .average_share = 1.0F - step.average_decay};
    if (!Trains(slice, step)) {
      if (settings_.average) kernels_.follow(arguments);
      return;
    }
    if (IsMatrix(slice.group)) return;
    arguments.state0 = planes_.empty() ? nullptr : planes_[0].data() + slice.begin;
    arguments.state1 = planes_.size() < 2 ? nullptr : planes_[1].data() + slice.begin;
    arguments.gradient_scale = gradient_scale;
    arguments.learning_rate = step.learning_rates[slice.group];
    arguments.weight_decay = groups_[slice.group].weight_decay;
    arguments.momentum = settings_.momentum;
    arguments.decay = settings_.decay;
    arguments.epsilon = settings_.epsilon;
    if (settings_.rule == Rule::kAdamW || settings_.rule == Rule::kMuon) {
      const auto taken = static_cast<double>(steps_[slice.group]);
      arguments.correction1 = static_cast<float>(1.0 / (1.0 - std::pow(settings_.momentum, taken)));
      arguments.correction2 = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings_.decay, taken)));
    }
    kernel(arguments);
  });
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (IsMatrix(g) && step.learning_rates[g] != 0.0F) MoveMatrix(g, weights, gradients, gradient_scale, step, pool);
  }
  return {norm, true};
}

void Optimizer::MoveMatrix(size_t group, float* weights, const float* gradients, float gradient_scale,
                           const StepSettings& step, ThreadPool& pool) {
  const auto [begin, end, weight_decay, columns] = groups_[group];
  const size_t rows = (end - begin) / columns;
  kernels_.muon_direction({.gradients = gradients + begin,
                           .state0 = planes_[0].data() + begin,
                           .state1 = direction_.data(),
                           .count = end - begin,
                           .gradient_scale = gradient_scale,
                           .momentum = settings_.matrix_momentum});
  orthogonalizer_->Run(direction_.data(), rows, columns, pool);
  const float rate = step.learning_rates[group];
  const double length = 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)));
  kernels_.descend({.weights = weights + begin,
                    .gradients = direction_.data(),
                    .average = settings_.average ? average_.data() + begin : nullptr,
                    .count = end - begin,
                    .gradient_scale = static_cast<float>(length),
                    .learning_rate = rate,
                    .weight_decay = weight_decay,
                    .average_share = 1.0F - step.average_decay});
}

}  // namespace ssd_prune
