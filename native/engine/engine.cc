#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace ssd_prune {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<bool> SharedParameters(const Graph& graph) {
  std::vector<bool> seen(graph.parameters.size(), false);
  std::vector<bool> shared(graph.parameters.size(), false);
  for (const Node& node : graph.nodes) {
    for (const int parameter : {node.weight, node.bias}) {
      if (parameter < 0) continue;
      if (seen[static_cast<size_t>(parameter)]) shared[static_cast<size_t>(parameter)] = true;
      seen[static_cast<size_t>(parameter)] = true;
    }
  }
  return shared;
}

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Engine::Engine(const Graph& graph, size_t batch, ThreadPool& pool, Isa isa, Use use, Precision precision)
    : batch_(batch), plan_(MakePlan(graph, batch, use == Use::kTraining, precision)), use_(use) {
  if (batch == 0) throw std::invalid_argument("a batch of no pictures");
  size_t floats = 0;
  for (const size_t size : graph.parameters) {
    offsets_.push_back(floats);
    floats += PitchOf(size);
  }
  sizes_ = graph.parameters;
  shared_ = SharedParameters(graph);
  weights_ = Buffer(floats);
  if (use == Use::kTraining) gradients_ = Buffer(floats);
  arena_ = Buffer(plan_.arena_floats);
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    Tensor& tensor = *plan_.tensors[i];
    tensor.data = arena_.data() + plan_.places[i].data;
    tensor.gradient = i == 0 ? nullptr : arena_.data() + plan_.places[i].gradient;
    sums_pitch_ = std::max(sums_pitch_, tensor.pitch);
  }
  sums_pitch_ = PitchOf(sums_pitch_);
  pivots_ = Buffer(kMaxSlices * sums_pitch_);
  slice_rows_.resize(kMaxSlices);
  sums_.resize(kMaxSlices * 2 * sums_pitch_);
  for (size_t i = 0; i < plan_.heads.size(); ++i) {
    outputs_.emplace_back(batch * plan_.output_floats[i]);
    derivatives_.emplace_back(use == Use::kTraining ? batch * plan_.output_floats[i] : 0);
    for (Head* head : plan_.heads[i]) {
      head->values = outputs_[i].data();
      head->derivatives = derivatives_[i].data();
    }
  }
  const Kernels& kernels = KernelsOf(isa, precision);
  size_t scratch = 0;
  size_t packed = 0;
  size_t partial = 0;
  for (const auto& operation : plan_.operations) {
    scratch = std::max(scratch, operation->ScratchFloats(kernels));
    packed = std::max(packed, operation->PackedFloats(kernels));
    if (use == Use::kTraining) partial = std::max(partial, operation->PartialFloats());
    times_.push_back({operation->node, operation->Macs(), operation->roles[0].wanted});
  }
  packed_ = Buffer(packed);
  partial_ = Buffer(partial);
  team_ = std::make_unique<Team>(pool, kernels, scratch);
}

std::span<float> Engine::picture() {
  const Tensor& picture = *plan_.tensors[0];
  return {picture.data, picture.rows() * picture.channels};
}

Step Engine::MakeStep(bool accumulate) {
  return {*team_,       weights_.data(), gradients_.data(), offsets_,           packed_.data(),    partial_.data(),
          sums_.data(), sums_pitch_,     pivots_.data(),    slice_rows_.data(), batch_statistics_, accumulate,
          shared_};
}

void Engine::Forward(bool batch_statistics) {
  batch_statistics_ = batch_statistics;
  stored_ = false;
  const Step step = MakeStep(false);
  for (size_t i = 0; i < plan_.operations.size(); ++i) {
    const auto start = Clock::now();
    plan_.operations[i]->Forward(step);
    times_[i].forward_seconds = std::min(times_[i].forward_seconds, SecondsSince(start));
  }
  stored_ = use_ == Use::kTraining;
}

void Engine::Backward(bool accumulate) {
  if (!stored_) throw std::logic_error("a backward pass needs a forward pass of its own before it");
  stored_ = false;
  const Step step = MakeStep(accumulate);
  for (size_t i = 0; i < sizes_.size() && !accumulate; ++i) {
    if (shared_[i]) std::fill_n(gradients_.data() + offsets_[i], sizes_[i], 0.0f);
  }
  for (size_t i = plan_.operations.size(); i-- > 0;) {
    const auto start = Clock::now();
    plan_.operations[i]->Backward(step);
    times_[i].backward_seconds = std::min(times_[i].backward_seconds, SecondsSince(start));
  }
}

size_t Engine::bytes() const {
  size_t floats =
      weights_.size() + gradients_.size() + arena_.size() + packed_.size() + partial_.size() + 2 * sums_.size();
  for (const Buffer& buffer : outputs_) floats += buffer.size();
  for (const Buffer& buffer : derivatives_) floats += buffer.size();
  return floats * sizeof(float) + team_->bytes();
}

void Engine::ClearTimes() {
  for (OperationTime& time : times_)
    time.forward_seconds = time.backward_seconds = std::numeric_limits<double>::infinity();
}

}  // namespace ssd_prune
