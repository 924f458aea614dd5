#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "record.h"
#include "train/detection_loss.h"

namespace ssd_prune {
namespace {

/// The recorded batch: four pictures with 3, 0, 1 and 6 boxes, 63 priors, 5 classes.
struct Batch {
  Record record{"loss.txt"};
  std::vector<float> priors = record.Floats("priors");
  std::vector<float> boxes = record.Floats("truth");
  std::vector<int32_t> labels = record.Ints("labels");
  std::vector<float> scores = record.Floats("scores");
  std::vector<float> offsets = record.Floats("offsets");
  std::vector<float> teacher_scores = record.Floats("teacher");
  std::vector<float> teacher_offsets = record.Floats("teacher_offsets");
  std::vector<Truth> truths;
  size_t count = priors.size() / 4;
  size_t classes = 5;

  Batch() {
    size_t at = 0;
    for (const int32_t boxes_here : record.Ints("counts")) {
      const auto n = static_cast<size_t>(boxes_here);
      truths.push_back({boxes.data() + 4 * at, labels.data() + at, n});
      at += n;
    }
  }

  HeadOutputs Outputs() const { return {scores.data(), offsets.data()}; }
  HeadOutputs Teacher() const { return {teacher_scores.data(), teacher_offsets.data()}; }
};

struct Case {
  const char* name;
  LossSettings settings;
};

std::vector<Case> Cases() {
  LossSettings paddle;
  paddle.classes = 5;
  LossSettings focal = paddle;
  focal.class_loss = ClassLoss::kFocal;
  LossSettings other = focal;
  other.focal = {0.75, 1.5};
  LossSettings softmax = paddle;
  softmax.teacher_loss = TeacherLoss::kSoftmax;
  softmax.temperature = 2.0;
  softmax.teacher_class_weight = 0.7;
  softmax.teacher_box_weight = 0.4;
  softmax.teacher_background = 0.25;
  LossSettings sigmoid = focal;
  sigmoid.focal = {0.75, 2.0};
  sigmoid.class_weight = 0.5;
  sigmoid.box_weight = 2.0;
  sigmoid.temperature = 1.5;
  sigmoid.teacher_class_weight = 1.3;
  sigmoid.teacher_box_weight = 0.6;
  return {{"paddle", paddle},
          {"focal", focal},
          {"focal_other", other},
          {"teacher_softmax", softmax},
          {"teacher_sigmoid", sigmoid}};
}

struct Result {
  LossParts parts;
  std::vector<float> scores;
  std::vector<float> offsets;
};

Result RunCase(const Batch& batch, const LossSettings& settings, ThreadPool& pool, Isa isa = ActiveIsa()) {
  DetectionLoss loss(settings, batch.priors.data(), batch.count, batch.truths.size(), isa);
  Divisors divisors;
  divisors.positives = static_cast<double>(loss.Match(batch.truths, pool));
  divisors.teacher_mass = loss.TeacherMass(batch.teacher_scores.data(), batch.truths.size(), pool);
  // What is not written stays NaN.
  Result result{{}, std::vector<float>(batch.scores.size(), NAN), std::vector<float>(batch.offsets.size(), NAN)};
  result.parts =
      loss.Run(batch.Outputs(), batch.Teacher(), divisors, {result.scores.data(), result.offsets.data()}, pool);
  return result;
}

void ExpectClose(const std::vector<float>& values, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(values.size(), expected.size());
  double worst = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(values[i]) - expected[i]);
    ASSERT_FALSE(std::isnan(values[i])) << what << " " << i << " was not written";
    worst = std::max(worst, difference / std::max(1e-2, std::abs(static_cast<double>(expected[i]))));
  }
  EXPECT_LT(worst, 2e-5) << what;
}

TEST(Loss, MatchesAndMinesTheRecordedPriors) {
  const Batch batch;
  ThreadPool pool(1);
  LossSettings settings;
  settings.classes = 5;
  DetectionLoss loss(settings, batch.priors.data(), batch.count, 4);
  const size_t positives = loss.Match(batch.truths, pool);
  Result result{{}, std::vector<float>(batch.scores.size()), std::vector<float>(batch.offsets.size())};
  const LossParts parts = loss.Run(batch.Outputs(), {}, {static_cast<double>(positives), 0},
                                   {result.scores.data(), result.offsets.data()}, pool);
  const std::vector<int32_t> matched = batch.record.Ints("matched");
  const std::vector<int32_t> mined = batch.record.Ints("mined");
  size_t mined_count = 0;
  for (size_t i = 0; i < 4; ++i) {
    for (size_t p = 0; p < batch.count; ++p) {
      EXPECT_EQ(loss.Matched(i)[p], matched[i * batch.count + p]) << "picture " << i << " prior " << p;
      EXPECT_EQ(loss.Mined(i)[p], mined[i * batch.count + p]) << "picture " << i << " prior " << p;
      mined_count += static_cast<size_t>(mined[i * batch.count + p]);
    }
  }
  EXPECT_EQ(parts.positives, positives);
  EXPECT_EQ(parts.negatives, mined_count);
}

TEST(Loss, PartsAndGradientsAreTheRecordedOnes) {
  const Batch batch;
  ThreadPool pool(2);
  for (const Case& test : Cases()) {
    SCOPED_TRACE(test.name);
    const Result result = RunCase(batch, test.settings, pool);
    const std::string name = test.name;
    const std::vector<double> parts = batch.record.Doubles(name + ".parts");
    EXPECT_NEAR(result.parts.classes, parts[0], 1e-6 * parts[0]);
    EXPECT_NEAR(result.parts.boxes, parts[1], 1e-6 * parts[1]);
    EXPECT_NEAR(result.parts.teacher_classes, parts[2], 1e-6 * (parts[2] + 1));
    EXPECT_NEAR(result.parts.teacher_boxes, parts[3], 1e-6 * (parts[3] + 1));
    EXPECT_DOUBLE_EQ(result.parts.total, result.parts.classes + result.parts.boxes + result.parts.teacher_classes +
                                             result.parts.teacher_boxes);
    EXPECT_EQ(result.parts.bad_picture, -1);
    ExpectClose(result.scores, batch.record.Floats(name + ".score_gradient"), "scores");
    ExpectClose(result.offsets, batch.record.Floats(name + ".offset_gradient"), "offsets");
  }
}

TEST(Loss, BackgroundScoresCanStayConstant) {
  const Batch batch;
  ThreadPool pool(1);
  for (const Case& test : Cases()) {
    LossSettings constant = test.settings;
    constant.trains_background = false;
    std::vector<float> expected = RunCase(batch, test.settings, pool).scores;
    for (size_t at = 0; at < expected.size(); at += batch.classes) expected[at] = 0.0F;
    EXPECT_EQ(RunCase(batch, constant, pool).scores, expected) << test.name;
  }
}

TEST(Loss, OfScoresThatGoThroughSigmoidsBackgroundCountsForNothing) {
  Batch live;
  Batch zero;
  for (size_t at = 0; at < zero.scores.size(); at += zero.classes) {
    zero.scores[at] = 0.0F;
    zero.teacher_scores[at] = 0.0F;
  }
  ThreadPool pool(1);
  for (const Case& test : Cases()) {
    LossSettings constant = test.settings;
    constant.trains_background = false;
    LossSettings sigmoids = test.settings;
    sigmoids.sigmoid_scores = sigmoids.teacher_sigmoid_scores = true;
    const Result expected = RunCase(zero, constant, pool);
    const Result found = RunCase(live, sigmoids, pool);
    EXPECT_EQ(found.scores, expected.scores) << test.name;
    EXPECT_EQ(found.offsets, expected.offsets) << test.name;
    EXPECT_EQ(found.parts.total, expected.parts.total) << test.name;
    EXPECT_NE(found.scores, RunCase(live, constant, pool).scores) << test.name;
  }
}

TEST(Loss, TeacherMassIsTheRecordedOne) {
  const Batch batch;
  ThreadPool pool(1);
  LossSettings settings;
  settings.classes = 5;
  DetectionLoss loss(settings, batch.priors.data(), batch.count, 4);
  EXPECT_NEAR(loss.TeacherMass(batch.teacher_scores.data(), 4, pool), batch.record.Doubles("teacher_mass")[0], 1e-5);
}

TEST(Loss, ThreadsAndInstructionSetsChangeNoBit) {
  const Batch batch;
  ThreadPool one(1);
  ThreadPool five(5);
  for (const Case& test : Cases()) {
    const Result a = RunCase(batch, test.settings, one);
    for (const Isa isa : SupportedIsas()) {
      const Result b = RunCase(batch, test.settings, five, isa);
      EXPECT_EQ(a.scores, b.scores) << test.name << " " << IsaName(isa);
      EXPECT_EQ(a.offsets, b.offsets) << test.name << " " << IsaName(isa);
      EXPECT_EQ(a.parts.total, b.parts.total) << test.name << " " << IsaName(isa);
    }
  }
}

/// Central differences of every case's total loss at some scores and offsets. Steps are powers of two, so that moved
/// values are exact; mining may not change on the way, so only priors that count or can't be mined are moved.
TEST(Loss, GradientsAreFiniteDifferences) {
  Batch batch;
  ThreadPool pool(1);
  for (float& value : batch.scores) value = std::round(value * 256) / 256;
  for (float& value : batch.offsets) value = std::round(value * 256) / 256;
  const std::vector<int32_t> matched = batch.record.Ints("matched");
  const float step = 1.0F / 1024;
  for (const Case& test : Cases()) {
    SCOPED_TRACE(test.name);
    const Result base = RunCase(batch, test.settings, pool);
    const auto slope = [&](float& value) {
      const float kept = value;
      value = kept + step;
      const double above = RunCase(batch, test.settings, pool).parts.total;
      value = kept - step;
      const double below = RunCase(batch, test.settings, pool).parts.total;
      value = kept;
      return (above - below) / (2.0 * step);
    };
    size_t checked = 0;
    for (size_t at = 0; at < matched.size(); ++at) {
      const bool positive = matched[at] >= 0;
      if (!positive && (test.settings.class_loss == ClassLoss::kSoftmax || at % 7 != 0)) continue;
      ++checked;
      for (size_t c = 0; c < batch.classes; ++c) {
        const size_t i = at * batch.classes + c;
        EXPECT_NEAR(base.scores[i], slope(batch.scores[i]), 2e-6);
      }
      for (size_t i = at * 4; i < at * 4 + 4; ++i) EXPECT_NEAR(base.offsets[i], slope(batch.offsets[i]), 2e-4);
    }
    EXPECT_GT(checked, 10U);
  }
}

TEST(Loss, OnePriorByHand) {
  // Prior and box are the same: offsets aim at 0. ln(e^0 + e^ln3) = ln 4, label 1: loss ln 4 - ln 3.
  const float priors[] = {0.5F, 0.5F, 0.5F, 0.5F};
  const float box[] = {0.25F, 0.25F, 0.75F, 0.75F};
  const int32_t label = 1;
  LossSettings settings;
  settings.classes = 2;
  DetectionLoss loss(settings, priors, 1, 1);
  ThreadPool pool(1);
  const Truth truth{box, &label, 1};
  EXPECT_EQ(loss.Match({&truth, 1}, pool), 1U);
  const float scores[] = {0.0F, std::log(3.0F)};
  const float offsets[] = {0.5F, 3.0F, -3.0F, 0.0F};
  float score_gradient[2];
  float offset_gradient[4];
  const LossParts parts = loss.Run({scores, offsets}, {}, {1.0, 0.0}, {score_gradient, offset_gradient}, pool);
  EXPECT_NEAR(parts.classes, std::log(4.0 / 3.0), 1e-7);
  EXPECT_NEAR(parts.boxes, 0.125 + 2.5 + 2.5, 1e-12);
  EXPECT_NEAR(score_gradient[0], 0.25, 1e-7);
  EXPECT_NEAR(score_gradient[1], -0.25, 1e-7);
  EXPECT_FLOAT_EQ(offset_gradient[0], 0.5F);
  EXPECT_FLOAT_EQ(offset_gradient[1], 1.0F);
  EXPECT_FLOAT_EQ(offset_gradient[2], -1.0F);
  EXPECT_EQ(offset_gradient[3], 0.0F);
}

TEST(Loss, FocalByHand) {
  // Margins 0: p = 1/2 for both classes. α/4 ln 2 + (1 - α)/4 ln 2 = ln 2 / 4.
  const float scores[] = {7.0F, 7.0F, 7.0F};
  double gradient[3] = {0, 0, 0};
  EXPECT_NEAR(ClassTerms(3).Focal(scores, 1, {0.25, 2.0}, 1.0, gradient), std::log(2.0) / 4, 1e-12);
  // α (1-p)² (γ p ln p + p - 1) with α = 1/4: (−ln 2 − 1/2)/16; three times that, positive, for the absent class.
  const double slope = (-std::log(2.0) - 0.5) / 16;
  EXPECT_NEAR(gradient[1], slope, 1e-12);
  EXPECT_NEAR(gradient[2], -3 * slope, 1e-12);
  EXPECT_NEAR(gradient[0], 2 * slope, 1e-12);
}

TEST(Loss, TermsOfHugeScoresAreFinite) {
  const float scores[] = {0.0F, 200.0F, -200.0F};
  const float teacher[] = {0.0F, -200.0F, 200.0F};
  double gradient[3] = {0, 0, 0};
  ClassTerms terms(3);
  EXPECT_NEAR(terms.Focal(scores, 2, {-1.0, 0.0}, 1.0, gradient), 400.0, 1e-9);
  EXPECT_NEAR(terms.SigmoidDistance(scores, teacher, 1.0, 1.0, gradient), 400.0, 1e-9);
  EXPECT_NEAR(terms.SoftmaxDistance(scores, teacher, 1.0, 1.0, gradient), 400.0, 1e-9);
  for (const double value : gradient) EXPECT_TRUE(std::isfinite(value));
}

TEST(Loss, ScoresThatMoveTogetherChangeNothing) {
  const float scores[] = {0.5F, -1.25F, 2.0F};
  const float moved[] = {8.5F, 6.75F, 10.0F};
  const float teacher[] = {0.25F, 1.5F, -2.0F};
  double unused[3] = {0, 0, 0};
  ClassTerms terms(3);
  EXPECT_DOUBLE_EQ(terms.Focal(scores, 1, {}, 1.0, unused), terms.Focal(moved, 1, {}, 1.0, unused));
  EXPECT_DOUBLE_EQ(terms.SigmoidDistance(scores, teacher, 2.0, 1.0, unused),
                   terms.SigmoidDistance(moved, teacher, 2.0, 1.0, unused));
}

TEST(Loss, LabelsThatAreNoClassesAreRefused) {
  const Batch batch;
  ThreadPool pool(1);
  LossSettings settings;
  settings.classes = 5;
  DetectionLoss loss(settings, batch.priors.data(), batch.count, 1);
  const float box[] = {0.25F, 0.25F, 0.75F, 0.75F};
  for (const int32_t label : {0, -1, 5}) {
    const Truth truth{box, &label, 1};
    EXPECT_THROW(loss.Match({&truth, 1}, pool), std::invalid_argument) << label;
  }
  const int32_t last = 4;
  const std::vector<Truth> two(2, Truth{box, &last, 1});
  EXPECT_THROW(loss.Match(two, pool), std::invalid_argument);
  EXPECT_GT(loss.Match({two.data(), 1}, pool), 0U);
}

TEST(Loss, BatchWithoutBoxes) {
  const Batch batch;
  ThreadPool pool(1);
  const std::vector<Truth> none(4);
  for (const ClassLoss kind : {ClassLoss::kSoftmax, ClassLoss::kFocal}) {
    LossSettings settings;
    settings.classes = 5;
    settings.class_loss = kind;
    DetectionLoss loss(settings, batch.priors.data(), batch.count, 4);
    EXPECT_EQ(loss.Match(none, pool), 0U);
    std::vector<float> scores(batch.scores.size());
    std::vector<float> offsets(batch.offsets.size());
    const LossParts parts = loss.Run(batch.Outputs(), {}, {}, {scores.data(), offsets.data()}, pool);
    double size = 0.0;
    for (const float value : scores) size += std::abs(value);
    EXPECT_EQ(parts.boxes, 0.0);
    EXPECT_EQ(parts.negatives, 0U);
    EXPECT_EQ(parts.classes > 0.0, kind == ClassLoss::kFocal);
    EXPECT_EQ(size > 0.0, kind == ClassLoss::kFocal);
    for (const float value : offsets) EXPECT_EQ(value, 0.0F);
  }
}

TEST(Loss, ScoresThatAreNotNumbersAreNamed) {
  for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
    for (const bool in_scores : {true, false}) {
      Batch batch;
      const size_t at = 2 * batch.count + 17;
      (in_scores ? batch.scores[at * 5 + 3] : batch.offsets[at * 4 + 2]) = bad;
      ThreadPool pool(2);
      const Result result = RunCase(batch, Cases()[0].settings, pool);
      EXPECT_EQ(result.parts.bad_picture, 2);
      EXPECT_EQ(result.parts.bad_prior, 17);
    }
  }
}

}  // namespace
}  // namespace ssd_prune
