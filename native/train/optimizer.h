// Optimisers over flat arrays: weights, gradients and state lie side by side in groups that share a weight decay and,
// at each step, a learning rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"
#include "train/orthogonalizer.h"
#include "train/update.h"

namespace ssd_prune {

enum class Rule { kSgd = 0, kNesterov = 1, kRmsProp = 2, kAdamW = 3, kMuon = 4 };

struct OptimizerSettings {
  Rule rule = Rule::kSgd;
  /// SGD, Nesterov, RMSProp: momentum; AdamW, and Muon for what is no matrix: β1.
  float momentum = 0.9F;
  /// RMSProp: ρ; AdamW, Muon: β2.
  float decay = 0.95F;
  float epsilon = 1e-6F;
  /// Muon: momentum of matrices.
  float matrix_momentum = 0.95F;
  /// Keep an exponential average of the weights, of frozen ones and of those without a group too: running statistics
  /// move without the optimiser.
  bool average = false;
};

/// Elements begin … end - 1 of the flat arrays. Weights that no group holds are never touched.
struct ParameterGroup {
  size_t begin;
  size_t end;
  float weight_decay;
  /// Muon: the group is a matrix of so many columns, row-major; 0: it is none.
  size_t columns = 0;
};

struct StepSettings {
  /// One for each group. A group whose rate is 0 is frozen: it is not read, its state stays, its gradients don't count
  /// in the norm.
  std::span<const float> learning_rates;
  /// Gradients are multiplied by it before anything else (micro-batches, loss scaling).
  float gradient_scale = 1.0F;
  /// Greatest norm of all gradients together; they are scaled down to it. 0: no limit.
  float max_norm = 0.0F;
  /// How much of the average stays at this step.
  float average_decay = 0.999F;
};

struct StepResult {
  /// Norm of the scaled gradients, before they are limited.
  double gradient_norm;
  /// false: the norm was NaN or infinite, and nothing was changed.
  bool applied;
};

class Optimizer {
 public:
  /// Groups lie in ascending order without overlap. State starts at zero; the average at the first step's weights.
  /// `precision` is that of Muon's products.
  Optimizer(const OptimizerSettings& settings, std::span<const ParameterGroup> groups, size_t size,
            Isa isa = ActiveIsa(), Precision precision = Precision::kFloat32);

  /// Moves the weights. The same bits with any number of threads and, but for Muon, on any instruction set.
  StepResult Step(float* weights, const float* gradients, const StepSettings& step, ThreadPool& pool);

  /// State, as long as the weights each: velocity (SGD, Nesterov), mean square and, with momentum, velocity (RMSProp),
  /// mean and mean square (AdamW, Muon; of matrices the mean alone, the rest stays 0). Copied out and in again they
  /// continue the run bit by bit, together with Steps().
  size_t PlaneCount() const { return planes_.size(); }
  std::span<float> Plane(size_t i) { return planes_[i]; }
  /// Averaged weights; empty where no average is kept.
  std::span<float> Average() { return average_; }
  /// Memory of a step beside the state.
  size_t ScratchBytes() const {
    return direction_.size() * sizeof(float) + (orthogonalizer_ ? orthogonalizer_->bytes() : 0);
  }
  /// Steps that each group has taken.
  std::span<uint64_t> Steps() { return steps_; }
  /// Whether the average holds weights; a restored one does.
  void SetAveraging(bool begun) { average_begun_ = begun; }

 private:
  struct Slice {
    size_t group;  // kNoGroup: between the groups
    size_t begin;
    size_t end;
  };

  static constexpr size_t kNoGroup = SIZE_MAX;

  void AddSlices(size_t group, size_t begin, size_t end);
  bool Trains(const Slice& slice, const StepSettings& step) const {
    return slice.group != kNoGroup && step.learning_rates[slice.group] != 0.0F;
  }
  bool IsMatrix(size_t group) const { return settings_.rule == Rule::kMuon && groups_[group].columns != 0; }
  /// Muon (Jordan et al., 2024) with Nesterov momentum: a matrix moves by its orthogonalised direction, times
  /// 0.2·√(longer side), which makes it as long as AdamW's would be (Liu et al., 2025).
  void MoveMatrix(size_t group, float* weights, const float* gradients, float gradient_scale, const StepSettings& step,
                  ThreadPool& pool);
  double GradientNorm(const float* gradients, const StepSettings& step, ThreadPool& pool);

  OptimizerSettings settings_;
  const UpdateKernels& kernels_;
  std::vector<ParameterGroup> groups_;
  std::vector<Slice> slices_;
  std::vector<double> sums_;
  std::vector<std::vector<float>> planes_;
  std::vector<float> average_;
  std::optional<Orthogonalizer> orthogonalizer_;
  std::vector<float> direction_;
  std::vector<uint64_t> steps_;
  bool average_begun_ = false;
};

}  // namespace ssd_prune
