#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace ssd_prune {

Trainer::Trainer(const Graph& graph, const TrainerSettings& settings, std::span<const float> priors,
                 const std::optional<TeacherSettings>& teacher, ThreadPool& pool, Isa isa)
    : settings_(settings),
      priors_(priors.size() / 4),
      pool_(pool),
      student_(graph, settings.micro_batch, pool, isa, Engine::Use::kTraining, settings.precision),
      pictures_(settings.micro_steps * student_.picture().size()),
      loss_(settings.loss, priors.data(), priors_, settings.micro_batch, isa),
      optimizer_(settings.optimizer, settings.groups, student_.weights().size(), isa, settings.precision) {
  if (settings.micro_steps == 0) throw std::invalid_argument("a step of no passes");
  CheckHeads(student_, settings.heads, "the network");
  size_t statistics = 0;
  for (const StatisticRange& range : settings.statistics) {
    if (range.end < range.begin || range.end > weights().size()) {
      throw std::invalid_argument("statistics outside the weights");
    }
    statistics += range.end - range.begin;
  }
  statistics_.resize(statistics);
  if (!teacher) return;
  teacher_.emplace(teacher->graph, settings.micro_batch, pool, isa, Engine::Use::kInference, settings.precision);
  teacher_heads_ = teacher->heads;
  if (teacher_->picture().size() != student_.picture().size()) {
    throw std::invalid_argument("the teacher reads pictures of another size");
  }
  CheckHeads(*teacher_, teacher_heads_, "the teacher");
  if (settings.feature_weight > 0.0) {
    features_.emplace(student_, *teacher_, settings.feature_weight, settings.micro_steps);
  }
  teacher_scores_.resize(batch() * priors_ * settings.loss.classes);
  teacher_offsets_.resize(batch() * priors_ * 4);
}

void Trainer::CheckHeads(Engine& engine, const HeadPlaces& heads, const char* whose) const {
  const auto check = [&](size_t output, size_t width, const char* what) {
    if (output >= engine.outputs() || engine.output(output).size() != settings_.micro_batch * priors_ * width) {
      throw std::invalid_argument(std::string(whose) + " has no " + what + " for " + std::to_string(priors_) +
                                  " prior boxes of " + std::to_string(width) + " numbers");
    }
  };
  check(heads.scores, settings_.loss.classes, "class scores");
  check(heads.offsets, 4, "box offsets");
}

HeadOutputs Trainer::Outputs(Engine& engine, const HeadPlaces& heads) const {
  return {engine.output(heads.scores).data(), engine.output(heads.offsets).data()};
}

void Trainer::Show(Engine& engine, const float* pictures, size_t micro_step) const {
  const std::span<float> places = engine.picture();
  std::copy_n(pictures + micro_step * places.size(), places.size(), places.data());
}

std::optional<double> Trainer::Teach(const float* pictures, const std::atomic<bool>& abort) {
  double mass = 0.0;
  for (size_t m = 0; m < settings_.micro_steps; ++m) {
    if (abort) return std::nullopt;
    Show(*teacher_, pictures, m);
    if (features_) features_->BeginTeacher(m);
    teacher_->Forward(false);
    if (features_) features_->EndTeacher(m);
    const HeadOutputs outputs = Outputs(*teacher_, teacher_heads_);
    const size_t scores = teacher_scores_.size() / settings_.micro_steps;
    const size_t offsets = teacher_offsets_.size() / settings_.micro_steps;
    std::copy_n(outputs.scores, scores, teacher_scores_.data() + m * scores);
    std::copy_n(outputs.offsets, offsets, teacher_offsets_.data() + m * offsets);
    mass += loss_.TeacherMass(outputs.scores, settings_.micro_batch, pool_);
  }
  return mass;
}

StepReport Trainer::Step(const float* pictures, std::span<const Truth> truths, const TrainerStep& step,
                         const std::atomic<bool>& abort) {
  if (truths.size() != batch()) throw std::invalid_argument("another number of pictures than a step has");
  if (step.optimizer.learning_rates.size() != settings_.groups.size()) {
    throw std::invalid_argument("another number of learning rates than of groups");
  }
  const size_t micro = settings_.micro_batch;
  StepReport report;

  // What losses are divided by comes from the whole batch, so it is counted before the first pass.
  Divisors divisors;
  for (size_t m = 0; m < settings_.micro_steps; ++m) {
    divisors.positives += static_cast<double>(loss_.Match(truths.subspan(m * micro, micro), pool_));
  }
  if (teacher_) {
    const auto mass = Teach(pictures, abort);
    if (!mass) {
      report.status = StepStatus::kAborted;
      return report;
    }
    // A batch that shows hardly anything would outweigh all others: its distances are over as many priors as theirs.
    divisors.teacher_mass = std::max(*mass, static_cast<double>(batch()));
  }

  SaveStatistics();
  const auto give_up = [&](StepStatus status) {
    RestoreStatistics();
    report.status = status;
    return report;
  };

  for (size_t m = 0; m < settings_.micro_steps; ++m) {
    if (abort) return give_up(StepStatus::kAborted);
    Show(student_, pictures, m);
    if (features_) features_->BeginStudent(m);
    student_.Forward(step.batch_statistics);
    if (settings_.micro_steps > 1) loss_.Match(truths.subspan(m * micro, micro), pool_);
    HeadOutputs taught;
    if (teacher_) {
      taught = {teacher_scores_.data() + m * micro * priors_ * settings_.loss.classes,
                teacher_offsets_.data() + m * micro * priors_ * 4};
    }
    const HeadGradients gradients{student_.output_derivatives(settings_.heads.scores).data(),
                                  student_.output_derivatives(settings_.heads.offsets).data()};
    report.loss.Add(loss_.Run(Outputs(student_, settings_.heads), taught, divisors, gradients, pool_), m * micro);
    if (report.loss.bad_picture >= 0) return give_up(StepStatus::kBadOutput);
    if (features_) {
      const double apart = features_->Loss();
      report.loss.teacher_features += apart;
      report.loss.total += apart;
    }
    if (!std::isfinite(report.loss.total) || report.loss.total > step.loss_limit)
      return give_up(StepStatus::kLossLimit);
    student_.Backward(m > 0);
  }

  const StepResult result = optimizer_.Step(weights().data(), student_.gradients().data(), step.optimizer, pool_);
  report.gradient_norm = result.gradient_norm;
  if (!result.applied) {
    report.bad_group = BadGroup(step);
    return give_up(StepStatus::kBadGradient);
  }
  return report;
}

void Trainer::SaveStatistics() {
  float* to = statistics_.data();
  for (const StatisticRange& range : settings_.statistics) {
    to = std::copy(weights().begin() + range.begin, weights().begin() + range.end, to);
  }
}

void Trainer::RestoreStatistics() {
  const float* from = statistics_.data();
  for (const StatisticRange& range : settings_.statistics) {
    std::copy_n(from, range.end - range.begin, weights().data() + range.begin);
    from += range.end - range.begin;
  }
}

void Trainer::MeasureStatistics(const float* pictures, std::span<float> found) {
  SaveStatistics();
  for (const StatisticRange& range : settings_.statistics) {
    std::fill(weights().begin() + range.begin, weights().begin() + range.end, 0.0F);
  }
  Show(student_, pictures, 0);
  student_.Forward(true);
  float* to = found.data();
  for (const StatisticRange& range : settings_.statistics) {
    // From 0 they moved by this much of the way.
    const float share = 1.0F - range.momentum;
    for (size_t i = range.begin; i < range.end; ++i) *to++ = weights()[i] / share;
  }
  RestoreStatistics();
}

int64_t Trainer::BadGroup(const TrainerStep& step) {
  const float* gradients = student_.gradients().data();
  for (size_t g = 0; g < settings_.groups.size(); ++g) {
    const ParameterGroup& group = settings_.groups[g];
    if (step.optimizer.learning_rates[g] == 0.0F) continue;
    if (!std::all_of(gradients + group.begin, gradients + group.end,
                     [](float value) { return std::isfinite(value); })) {
      return static_cast<int64_t>(g);
    }
  }
  return -1;
}

size_t Trainer::bytes() const {
  const size_t optimizer =
      (optimizer_.PlaneCount() + (settings_.optimizer.average ? 1 : 0)) * sizeof(float) * student_.parameter_floats() +
      optimizer_.ScratchBytes();
  const size_t teacher = (teacher_scores_.size() + teacher_offsets_.size()) * sizeof(float);
  return student_.bytes() + (teacher_ ? teacher_->bytes() : 0) + optimizer + teacher +
         (features_ ? features_->bytes() : 0);
}

}  // namespace ssd_prune
