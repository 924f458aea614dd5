// A network ready to train: memory laid out once, a step allocates nothing.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "engine/buffer.h"
#include "engine/graph.h"
#include "engine/plan.h"
#include "engine/team.h"

namespace ssd_prune {

/// Work of an operation, and the time of its fastest pass since Engine::ClearTimes: other passes measured the machine's
/// other work too.
struct OperationTime {
  int node;     // −1: a head or a copy that the plan added
  double macs;  // of one forward pass over the batch
  bool needs_input_gradient;
  double forward_seconds = std::numeric_limits<double>::infinity();
  double backward_seconds = std::numeric_limits<double>::infinity();
};

class Engine {
 public:
  enum class Use { kTraining, kInference };

  /// Throws std::invalid_argument where the graph doesn't hold together or the instruction set hasn't the precision,
  /// std::bad_alloc where memory is short. Without training there are no gradients, derivatives and Backward, and the
  /// memory is that of the widest moment.
  Engine(const Graph& graph, size_t batch, ThreadPool& pool, Isa isa, Use use = Use::kTraining,
         Precision precision = Precision::kFloat32);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  size_t batch() const { return batch_; }
  /// All parameters, one after the other in the graph's order, as ONNX lays them out; and their gradients. Gaps of
  /// alignment between them are 0.
  std::span<float> weights() { return {weights_.data(), weights_.size()}; }
  std::span<float> gradients() { return {gradients_.data(), gradients_.size()}; }
  const std::vector<size_t>& offsets() const { return offsets_; }
  size_t parameter_floats() const { return weights_.size(); }

  /// Where pictures go, [batch][height][width][channels], and where they still are when Backward runs.
  std::span<float> picture();
  size_t outputs() const { return outputs_.size(); }
  /// Numbers of an output, [batch][box][width], and the place for the loss's derivatives by them.
  std::span<float> output(size_t i) { return {outputs_[i].data(), outputs_[i].size()}; }
  std::span<float> output_derivatives(size_t i) { return {derivatives_[i].data(), derivatives_[i].size()}; }

  size_t features() const { return plan_.features.size(); }
  FeatureMap& feature(size_t i) { return *plan_.features[i]; }

  /// `batch_statistics`: normalisation by the batch, and the running statistics follow; else by the running ones.
  void Forward(bool batch_statistics);
  /// After Forward with the same statistics, once: it works in the memory of what Forward stored. Gradients are put, or
  /// added where `accumulate`. Throws std::logic_error where no Forward was before it.
  void Backward(bool accumulate);

  /// Bytes of memory that it holds.
  size_t bytes() const;
  std::vector<OperationTime> times() const { return times_; }
  void ClearTimes();

 private:
  Step MakeStep(bool accumulate);

  const size_t batch_;
  Plan plan_;
  std::vector<size_t> offsets_;
  std::vector<size_t> sizes_;  // of each parameter
  std::vector<bool> shared_;   // whether several nodes have it
  Buffer weights_;
  Buffer gradients_;
  Buffer arena_;
  std::vector<Buffer> outputs_;
  std::vector<Buffer> derivatives_;
  Buffer packed_;
  Buffer partial_;
  std::vector<double> sums_;
  size_t sums_pitch_ = 0;
  Buffer pivots_;
  std::vector<size_t> slice_rows_;
  std::unique_ptr<Team> team_;
  bool batch_statistics_ = true;
  const Use use_;
  bool stored_ = false;  // what Backward needs
  std::vector<OperationTime> times_;
};

}  // namespace ssd_prune
