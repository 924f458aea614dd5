#include "train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "test/net_builder.h"

namespace ssd_prune {
namespace {

constexpr size_t kClasses = 5;
constexpr size_t kPictures = 4;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();
/// Two priors at each of 4 x 4 places.
constexpr size_t kPriors = 32;

/// A stem, a separable block and one-tap heads, with normalisation or folded. Without clips its loss has a slope
/// everywhere.
NetBuilder Detector(bool normalised, bool clips = true) {
  NetBuilder net(3, 16, 16);
  const auto finish = [&](int value) {
    if (!clips) return value;
    return normalised ? net.Relu(net.Norm(value)) : net.Relu6(value);
  };
  int x = finish(net.Conv(0, 6, Square(3, 2, 1, 1), 1, !normalised));
  x = finish(net.DepthwiseConv(x, Square(3, 2, 1, 1), !normalised));
  const int early = x;
  x = finish(net.Pointwise(x, 10, !normalised));
  net.graph.features = {{early, {0, 1, 2, 3, 4, 5}}, {x, {2, 9, 4, 7}}};
  net.Out({net.Pointwise(x, 2 * kClasses, true)}, kClasses);
  net.Out({net.Pointwise(x, 2 * 4, true)}, 4);
  return net;
}

std::vector<float> Priors() {
  std::vector<float> priors;
  for (size_t i = 0; i < 16; ++i) {
    const float cx = (static_cast<float>(i % 4) + 0.5F) / 4;
    const float cy = (static_cast<float>(i / 4) + 0.5F) / 4;
    for (const float size : {0.3F, 0.5F}) priors.insert(priors.end(), {cx, cy, size, size});
  }
  return priors;
}

/// Pictures of noise; 2, 0, 1 and 3 objects on them.
struct Batch {
  std::vector<float> pictures = RandomFloats(kPictures * 3 * 16 * 16, 77);
  std::vector<float> boxes{0.1F, 0.1F, 0.4F, 0.5F, 0.5F, 0.5F, 0.9F, 0.9F, 0.2F, 0.6F, 0.5F, 0.9F,
                           0.1F, 0.0F, 0.6F, 0.4F, 0.4F, 0.3F, 0.8F, 0.6F, 0.7F, 0.7F, 1.0F, 1.0F};
  std::vector<int32_t> labels{1, 3, 2, 1, 2, 3};
  std::vector<Truth> truths;
  Batch() {
    size_t at = 0;
    for (const size_t count : {2, 0, 1, 3}) {
      truths.push_back({boxes.data() + 4 * at, labels.data() + at, count});
      at += count;
    }
  }
};

struct Options {
  size_t micro_steps = 1;
  bool normalised = true;
  bool clips = true;
  OptimizerSettings optimizer{.rule = Rule::kSgd, .momentum = 0.0F};
  LossSettings loss{};
  bool teacher = false;
  double feature_weight = 0.0;
  /// The teacher's channels are others than the student's.
  bool shifts_features = false;
  bool decayed = false;
};

/// A trainer of `Detector` whose groups are its trained parameters.
struct Fixture {
  NetBuilder net;
  std::vector<float> rates;
  ThreadPool pool;
  std::unique_ptr<Trainer> trainer;
  std::atomic<bool> abort = false;
  bool batch_statistics;
  float average_decay = 0.5F;

  explicit Fixture(const Options& options, int threads = 2)
      : net(Detector(options.normalised, options.clips)), pool(threads), batch_statistics(options.normalised) {
    TrainerSettings settings;
    settings.loss = options.loss;
    settings.loss.classes = kClasses;
    settings.feature_weight = options.feature_weight;
    settings.optimizer = options.optimizer;
    settings.micro_steps = options.micro_steps;
    settings.micro_batch = kPictures / options.micro_steps;
    size_t at = 0;
    std::vector<bool> statistic(net.parameters.size(), false);
    for (const Node& node : net.graph.nodes) {
      if (node.kind != NodeKind::kNormalization) continue;
      statistic[static_cast<size_t>(node.mean)] = statistic[static_cast<size_t>(node.variance)] = true;
    }
    std::vector<size_t> begins;
    for (size_t i = 0; i < net.parameters.size(); ++i) {
      const size_t end = at + net.parameters[i].size();
      begins.push_back(at);
      if (statistic[i]) {
        settings.statistics.push_back({at, end, 0.9F});
      } else {
        settings.groups.push_back({at, end, options.decayed ? 0.01F : 0.0F});
      }
      at = at + PitchOf(net.parameters[i].size());
    }
    rates.assign(settings.groups.size(), 0.05F);
    std::optional<TeacherSettings> teacher;
    if (options.teacher) teacher = TeacherSettings{net.graph, {}};
    if (teacher && options.shifts_features) teacher->graph.features[1].channels = {0, 3, 5, 1};
    trainer = std::make_unique<Trainer>(net.graph, settings, Priors(), teacher, pool, SupportedIsas().front());
    for (const std::span<float> weights : {trainer->weights(), trainer->teacher_weights()}) {
      for (size_t i = 0; i < net.parameters.size() && !weights.empty(); ++i) {
        std::copy(net.parameters[i].begin(), net.parameters[i].end(), weights.begin() + begins[i]);
      }
    }
  }

  StepReport Step(const Batch& batch, double limit = kNoLimit) {
    TrainerStep step;
    step.optimizer = {.learning_rates = rates, .average_decay = average_decay};
    step.batch_statistics = batch_statistics;
    step.loss_limit = limit;
    return trainer->Step(batch.pictures.data(), batch.truths, step, abort);
  }

  /// Weights, average and state.
  std::vector<float> Everything() {
    std::vector<float> all(trainer->weights().begin(), trainer->weights().end());
    Optimizer& optimizer = trainer->optimizer();
    for (size_t i = 0; i < optimizer.PlaneCount(); ++i) {
      all.insert(all.end(), optimizer.Plane(i).begin(), optimizer.Plane(i).end());
    }
    all.insert(all.end(), optimizer.Average().begin(), optimizer.Average().end());
    return all;
  }
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Plain descent moves each weight by rate · slope: slopes of the reported loss, by finite differences of it.
TEST(TrainerStep, FollowsTheSlopeOfItsLoss) {
  const Batch batch;
  for (const double features : {0.0, 3.0}) {
    for (const bool taught : {false, true}) {
      if (features > 0.0 && !taught) continue;
      Options options{.normalised = false, .clips = false};
      options.feature_weight = features;
      options.shifts_features = true;
      options.loss.class_loss = ClassLoss::kFocal;  // smooth: no mining that changes its choice
      if (taught) options.loss.teacher_class_weight = options.loss.teacher_box_weight = 0.7;
      options.loss.teacher_confidence = 0.3;
      options.teacher = taught;
      const auto begin = [&] {
        auto fixture = std::make_unique<Fixture>(options);
        // Or student and teacher would agree.
        for (float& weight : fixture->trainer->weights()) weight *= 0.9F;
        return fixture;
      };
      auto moved = begin();
      const std::vector<float> before(moved->trainer->weights().begin(), moved->trainer->weights().end());
      ASSERT_EQ(moved->Step(batch).status, StepStatus::kDone);
      size_t checked = 0;
      for (size_t i = 0; i < before.size(); i += 23) {
        const double slope = (before[i] - moved->trainer->weights()[i]) / 0.05;
        double losses[2];
        for (const int side : {0, 1}) {
          auto other = begin();
          other->trainer->weights()[i] += side == 0 ? -1e-3F : 1e-3F;
          losses[side] = other->Step(batch).loss.total;
        }
        const double expected = (losses[1] - losses[0]) / 2e-3;
        EXPECT_NEAR(slope, expected, 0.02 * std::max(0.05, std::abs(expected))) << "weight " << i;
        if (std::abs(expected) > 0.01) ++checked;
      }
      EXPECT_GT(checked, 5U);
    }
  }
}

TEST(TrainerStep, MicroStepsAddUp) {
  const Batch batch;
  Options options{.normalised = false, .decayed = true};
  options.teacher = true;
  options.loss.teacher_class_weight = 0.5;
  options.loss.teacher_confidence = 0.3;
  options.feature_weight = 2.0;
  options.shifts_features = true;
  Fixture whole(options);
  for (float& weight : whole.trainer->weights()) weight *= 0.9F;
  const StepReport expected = whole.Step(batch);
  EXPECT_GT(expected.loss.teacher_classes, 0.0);
  EXPECT_GT(expected.loss.teacher_features, 0.0);
  for (const size_t micro_steps : {2, 4}) {
    options.micro_steps = micro_steps;
    Fixture parts(options);
    for (float& weight : parts.trainer->weights()) weight *= 0.9F;
    const StepReport report = parts.Step(batch);
    EXPECT_NEAR(report.loss.total, expected.loss.total, 1e-6 * expected.loss.total);
    EXPECT_NEAR(report.loss.teacher_classes, expected.loss.teacher_classes, 1e-6);
    EXPECT_NEAR(report.loss.teacher_features, expected.loss.teacher_features, 1e-6);
    EXPECT_EQ(report.loss.positives, expected.loss.positives);
    EXPECT_NEAR(report.gradient_norm, expected.gradient_norm, 1e-4 * expected.gradient_norm);
    for (size_t i = 0; i < whole.trainer->weights().size(); ++i) {
      ASSERT_NEAR(parts.trainer->weights()[i], whole.trainer->weights()[i], 1e-5);
    }
  }
}

TEST(TrainerStep, LearnsABatch) {
  const Batch batch;
  Fixture fixture({.optimizer = {.rule = Rule::kSgd, .momentum = 0.9F}});
  const double first = fixture.Step(batch).loss.total;
  double last = 0.0;
  for (int i = 0; i < 60; ++i) last = fixture.Step(batch).loss.total;
  EXPECT_LT(last, 0.3 * first);
}

TEST(TrainerStep, ThreadsChangeNoBit) {
  const Batch batch;
  Options options{.micro_steps = 2, .optimizer = {.rule = Rule::kAdamW, .average = true}};
  options.teacher = true;
  options.loss.teacher_class_weight = options.loss.teacher_box_weight = 1.0;
  options.feature_weight = 1.0;
  options.shifts_features = true;
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    Fixture fixture(options, threads);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(fixture.Step(batch).status, StepStatus::kDone);
    if (first.empty()) first = fixture.Everything();
    EXPECT_TRUE(SameBits(first, fixture.Everything())) << threads << " threads";
  }
}

/// What a step that isn't taken must leave alone, running statistics among it.
class StepNotTaken : public testing::TestWithParam<StepStatus> {};

INSTANTIATE_TEST_SUITE_P(Reasons, StepNotTaken,
                         testing::Values(StepStatus::kAborted, StepStatus::kBadOutput, StepStatus::kLossLimit));

TEST_P(StepNotTaken, ChangesNothing) {
  Batch batch;
  const Options options{.micro_steps = 2, .optimizer = {.rule = Rule::kSgd, .momentum = 0.9F, .average = true}};
  Fixture fixture(options);
  ASSERT_EQ(fixture.Step(batch).status, StepStatus::kDone);
  const auto before = fixture.Everything();
  double limit = kNoLimit;
  Batch bad = batch;
  if (GetParam() == StepStatus::kAborted) fixture.abort = true;
  if (GetParam() == StepStatus::kLossLimit) limit = 1e-3;
  // On the third picture: one pass is through by then.
  if (GetParam() == StepStatus::kBadOutput) bad.pictures[2 * 768 + 5] = std::numeric_limits<float>::quiet_NaN();
  const StepReport report = fixture.Step(bad, limit);
  ASSERT_EQ(report.status, GetParam()) << report.loss.total << " " << report.gradient_norm;
  EXPECT_TRUE(SameBits(before, fixture.Everything()));
  if (GetParam() == StepStatus::kBadOutput) {
    EXPECT_GE(report.loss.bad_picture, 2);
  }

  // And the run goes on as if it had not been.
  fixture.abort = false;
  ASSERT_EQ(fixture.Step(batch).status, StepStatus::kDone);
  Fixture straight(options);
  for (int i = 0; i < 2; ++i) straight.Step(batch);
  EXPECT_TRUE(SameBits(straight.Everything(), fixture.Everything()));
}

TEST(TrainerStep, AGradientWithoutEndChangesNothing) {
  Options options{.optimizer = {.rule = Rule::kSgd, .momentum = 0.9F, .average = true}};
  options.loss.class_weight = 3e38;
  Fixture fixture(options);
  const auto before = fixture.Everything();
  const StepReport report = fixture.Step({});
  ASSERT_EQ(report.status, StepStatus::kBadGradient) << report.loss.total << " " << report.gradient_norm;
  EXPECT_GE(report.bad_group, 0);
  EXPECT_TRUE(SameBits(before, fixture.Everything()));
}

TEST(TrainerStep, ATeacherOfTheSameWeightsHasNothingToSay) {
  const Batch batch;
  Options options{.normalised = false};
  options.teacher = true;
  options.loss.class_weight = options.loss.box_weight = 0.0;
  options.loss.teacher_class_weight = options.loss.teacher_box_weight = 1.0;
  options.loss.teacher_confidence = 0.1;
  options.feature_weight = 1.0;
  Fixture fixture(options);
  const StepReport report = fixture.Step(batch);
  EXPECT_NEAR(report.loss.total, 0.0, 1e-9);
  EXPECT_NEAR(report.gradient_norm, 0.0, 1e-5);
}

// A student that says 0 everywhere is as far away as the teacher's maps are large: each pair counts 1.
TEST(TrainerStep, FeaturesCountInTheTeachersOwnSquares) {
  const Batch batch;
  for (const size_t micro_steps : {1, 2}) {
    Options options{.micro_steps = micro_steps, .normalised = false};
    options.teacher = true;
    options.feature_weight = 0.75;
    Fixture fixture(options);
    std::ranges::fill(fixture.trainer->weights(), 0.0F);
    const StepReport report = fixture.Step(batch);
    EXPECT_NEAR(report.loss.teacher_features, 0.75, 1e-6);
    EXPECT_NEAR(report.loss.total, report.loss.classes + report.loss.boxes + 0.75, 1e-6);
  }
}

// Against the picture's own numbers: the first convolution copies channel 1, so its statistics are that channel's.
TEST(TrainerStep, MeasuresStatisticsAndLeavesTheRunningOnes) {
  const Batch batch;
  Fixture fixture({.micro_steps = 2});
  std::fill_n(fixture.trainer->weights().begin(), 6 * 27, 0.0F);
  fixture.trainer->weights()[27 + 9 + 4] = 1.0F;  // output 1, input 1, the window's middle
  const auto before = fixture.Everything();
  std::vector<float> found(fixture.trainer->statistic_floats());
  ASSERT_EQ(found.size(), 2U * (6 + 6 + 10));
  fixture.trainer->MeasureStatistics(batch.pictures.data(), found);
  EXPECT_TRUE(SameBits(before, fixture.Everything()));
  double sum = 0.0;
  double squares = 0.0;
  for (size_t picture = 0; picture < 2; ++picture) {
    for (size_t y = 0; y < 16; y += 2) {
      for (size_t x = 0; x < 16; x += 2) {
        const double value = batch.pictures[((picture * 16 + y) * 16 + x) * 3 + 1];
        sum += value;
        squares += value * value;
      }
    }
  }
  const double mean = sum / 128;
  EXPECT_NEAR(found[1], mean, 1e-5);
  EXPECT_NEAR(found[6 + 1], squares / 128 - mean * mean, 1e-5);
  EXPECT_EQ(found[0], 0.0F);
}

TEST(TrainerStep, RefusesWhatDoesntFit) {
  Batch batch;
  Fixture fixture({});
  const auto before = fixture.Everything();
  batch.labels[4] = kClasses;
  EXPECT_THROW(fixture.Step(batch), std::invalid_argument);
  batch.truths.pop_back();
  EXPECT_THROW(fixture.Step(batch), std::invalid_argument);
  EXPECT_TRUE(SameBits(before, fixture.Everything()));

  ThreadPool pool(1);
  const NetBuilder net = Detector(true);
  TrainerSettings settings;
  settings.loss.classes = kClasses;
  const std::vector<float> priors = Priors();
  const auto make = [&](const std::optional<TeacherSettings>& teacher) {
    Trainer(net.graph, settings, priors, teacher, pool, Isa::kPortable);
  };
  EXPECT_NO_THROW(make(std::nullopt));
  settings.heads = {.scores = 1, .offsets = 0};
  EXPECT_THROW(make(std::nullopt), std::invalid_argument);
  settings.heads = {};
  NetBuilder larger(3, 17, 16);
  larger.Out({larger.Conv(0, 2 * kClasses, Square(5, 4, 1, 1))}, kClasses);
  EXPECT_THROW(make(TeacherSettings{larger.graph, {}}), std::invalid_argument);
  settings.feature_weight = 1.0;
  NetBuilder fewer = Detector(true);
  EXPECT_NO_THROW(make(TeacherSettings{fewer.graph, {}}));
  fewer.graph.features[1].channels.pop_back();
  EXPECT_THROW(make(TeacherSettings{fewer.graph, {}}), std::invalid_argument);
  fewer.graph.features.pop_back();
  EXPECT_THROW(make(TeacherSettings{fewer.graph, {}}), std::invalid_argument);
  fewer.graph.features[0].channels = {6};
  EXPECT_THROW(make(TeacherSettings{fewer.graph, {}}), std::invalid_argument);
  settings.loss.classes = kClasses + 1;
  EXPECT_THROW(make(std::nullopt), std::invalid_argument);
}

TEST(Engine, RefusesABackwardPassWithoutItsForward) {
  const NetBuilder net = Detector(false);
  ThreadPool pool(1);
  Engine engine(net.graph, 1, pool, Isa::kPortable);
  EXPECT_THROW(engine.Backward(false), std::logic_error);
  engine.Forward(true);
  EXPECT_NO_THROW(engine.Backward(false));
  EXPECT_THROW(engine.Backward(false), std::logic_error);
}

TEST(Engine, InfersTheSameInLessMemory) {
  const NetBuilder net = Detector(true);
  ThreadPool pool(1);
  Engine trained(net.graph, 256, pool, SupportedIsas().front());
  Engine inferring(net.graph, 256, pool, SupportedIsas().front(), Engine::Use::kInference);
  for (Engine* engine : {&trained, &inferring}) {
    for (size_t i = 0; i < net.parameters.size(); ++i) {
      std::copy(net.parameters[i].begin(), net.parameters[i].end(), engine->weights().begin() + engine->offsets()[i]);
    }
    const auto pictures = RandomFloats(engine->picture().size(), 3);
    std::copy(pictures.begin(), pictures.end(), engine->picture().begin());
    engine->Forward(false);
  }
  for (size_t i = 0; i < 2; ++i) {
    const auto a = trained.output(i);
    const auto b = inferring.output(i);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
  EXPECT_LT(inferring.bytes(), trained.bytes() * 3 / 5);
  EXPECT_THROW(inferring.Backward(false), std::logic_error);
}

}  // namespace
}  // namespace ssd_prune
