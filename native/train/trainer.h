// A training step: pictures and what is annotated on them in, losses out. Network, loss, optimiser and, where there is
// one, the teacher together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "train/detection_loss.h"
#include "train/feature_loss.h"
#include "train/optimizer.h"

namespace ssd_prune {

/// Which outputs of a graph are class scores (before softmax or sigmoid) and box offsets.
struct HeadPlaces {
  size_t scores = 0;
  size_t offsets = 1;
};

/// Running means or variances in the flat array of weights.
struct StatisticRange {
  size_t begin;
  size_t end;
  /// Share of the old value that a pass leaves.
  float momentum;
};

struct TrainerSettings {
  LossSettings loss;
  /// Of FeatureLoss, where both graphs have features; a teacher's then.
  double feature_weight = 0.0;
  OptimizerSettings optimizer;
  std::vector<ParameterGroup> groups;
  /// Running statistics: forward passes move them, so a step that isn't taken puts them back.
  std::vector<StatisticRange> statistics;
  HeadPlaces heads;
  /// Pictures of a pass, and passes of a step, whose gradients add up.
  size_t micro_batch = 1;
  size_t micro_steps = 1;
  /// Of the products of both networks and of Muon, and of what is stored between layers.
  Precision precision = Precision::kFloat32;
};

/// The network that the trained one is to be like: it reads the same pictures and has the same classes and priors. Its
/// normalisations use their running statistics.
struct TeacherSettings {
  Graph graph;
  HeadPlaces heads;
};

struct TrainerStep {
  StepSettings optimizer;
  /// Normalise by the batch, and let the running statistics follow; else by the running ones.
  bool batch_statistics = true;
  /// A loss above it, or one that is NaN or infinite, stops the step before anything is changed.
  double loss_limit = std::numeric_limits<double>::infinity();
};

enum class StepStatus {
  kDone = 0,
  /// Called off between passes.
  kAborted = 1,
  /// A score or offset of the network is NaN or infinite.
  kBadOutput = 2,
  kLossLimit = 3,
  kBadGradient = 4,
};

struct StepReport {
  StepStatus status = StepStatus::kDone;
  /// Of the passes that were computed; `bad_picture` counts in the whole batch.
  LossParts loss;
  /// Before it was limited.
  double gradient_norm = 0.0;
  /// First group with a gradient that is NaN or infinite, −1 where there is none.
  int64_t bad_group = -1;
};

class Trainer {
 public:
  /// `priors` (count, 4): cx, cy, w, h. Throws std::invalid_argument where graphs, heads and priors don't fit together,
  /// std::bad_alloc where memory is short.
  Trainer(const Graph& graph, const TrainerSettings& settings, std::span<const float> priors,
          const std::optional<TeacherSettings>& teacher, ThreadPool& pool, Isa isa = ActiveIsa());

  /// Pictures of a step.
  size_t batch() const { return settings_.micro_batch * settings_.micro_steps; }
  /// float32 values of a step's pictures, [picture][height][width][channels].
  std::span<float> weights() { return student_.weights(); }
  /// Empty where nobody teaches.
  std::span<float> teacher_weights() { return teacher_ ? teacher_->weights() : std::span<float>(); }
  Optimizer& optimizer() { return optimizer_; }
  size_t bytes() const;

  /// One step, `truths` of each picture. Anything but kDone leaves weights, statistics and the optimiser's state as
  /// they were. `abort` is looked at between passes. Throws std::invalid_argument for another number of pictures and
  /// for labels that are no class; nothing is changed then either. The same bits with any number of threads.
  StepReport Step(const float* pictures, std::span<const Truth> truths, const TrainerStep& step,
                  const std::atomic<bool>& abort);

  /// Floats of all running statistics.
  size_t statistic_floats() const { return statistics_.size(); }
  /// Means and variances of the pictures of one pass, in the order of the settings; the running ones stay.
  void MeasureStatistics(const float* pictures, std::span<float> found);

 private:
  HeadOutputs Outputs(Engine& engine, const HeadPlaces& heads) const;
  void CheckHeads(Engine& engine, const HeadPlaces& heads, const char* whose) const;
  /// Copies pictures of a pass into an engine.
  void Show(Engine& engine, const float* pictures, size_t micro_step) const;
  /// The whole batch through the teacher; returns its mass, nothing where it was called off.
  std::optional<double> Teach(const float* pictures, const std::atomic<bool>& abort);
  void SaveStatistics();
  void RestoreStatistics();
  int64_t BadGroup(const TrainerStep& step);

  TrainerSettings settings_;
  size_t priors_;
  ThreadPool& pool_;
  Engine student_;
  std::optional<Engine> teacher_;
  HeadPlaces teacher_heads_;
  size_t pictures_;
  DetectionLoss loss_;
  Optimizer optimizer_;
  std::vector<float> statistics_;
  std::optional<FeatureLoss> features_;
  /// What the teacher said of the whole batch.
  std::vector<float> teacher_scores_;
  std::vector<float> teacher_offsets_;
};

}  // namespace ssd_prune
