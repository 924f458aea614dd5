#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "record.h"

namespace ssd_prune {
namespace {

const ParameterGroup kGroups[] = {{0, 30, 0.0F}, {30, 50, 0.05F}};
const std::vector<float> kRates = {0.01F, 0.1F};

struct Case {
  const char* name;
  OptimizerSettings settings;
  float max_norm = 0.0F;
};

const Case kCases[] = {
    {"plain", {.rule = Rule::kSgd, .momentum = 0.0F}},
    {"momentum", {.rule = Rule::kSgd, .momentum = 0.9F, .average = true}},
    {"clipped", {.rule = Rule::kSgd, .momentum = 0.9F}, 3.0F},
    {"nesterov", {.rule = Rule::kNesterov, .momentum = 0.9F}},
    {"adamw", {.rule = Rule::kAdamW, .momentum = 0.9F, .decay = 0.99F, .epsilon = 1e-8F}},
    {"rmsprop", {.rule = Rule::kRmsProp, .momentum = 0.0F, .decay = 0.95F, .epsilon = 1e-6F}},
    {"rmsprop_momentum", {.rule = Rule::kRmsProp, .momentum = 0.9F, .decay = 0.95F, .epsilon = 1e-6F}},
};

TEST(Optimizer, FollowsTheRecords) {
  const Record record("optimizers.txt");
  const std::vector<float> gradients = record.Floats("gradients");
  const size_t steps = gradients.size() / 50;
  ThreadPool pool(2);
  for (const Isa isa : SupportedIsas()) {
    for (const Case& test : kCases) {
      SCOPED_TRACE(std::string(test.name) + " " + std::string(IsaName(isa)));
      const std::vector<float> expected = record.Floats(test.name);
      std::vector<float> weights = record.Floats("start");
      Optimizer optimizer(test.settings, kGroups, 50, isa);
      for (size_t step = 0; step < steps; ++step) {
        // Half the gradients, scaled by two.
        std::vector<float> halves(gradients.begin() + step * 50, gradients.begin() + (step + 1) * 50);
        for (float& value : halves) value /= 2;
        const StepResult result = optimizer.Step(
            weights.data(), halves.data(),
            {.learning_rates = kRates, .gradient_scale = 2.0F, .max_norm = test.max_norm, .average_decay = 0.9F}, pool);
        EXPECT_TRUE(result.applied);
        for (size_t i = 0; i < 50; ++i) {
          EXPECT_NEAR(weights[i], expected[step * 50 + i], 2e-6) << "step " << step << " element " << i;
        }
        if (test.settings.average) {
          const std::vector<float> average = record.Floats(std::string(test.name) + ".average");
          for (size_t i = 0; i < 50; ++i) EXPECT_NEAR(optimizer.Average()[i], average[step * 50 + i], 1e-6);
        }
      }
    }
  }
}

/// Muon as torch.optim.Muon has it with match_rms_adamw, in float64, on the first group as a matrix of six rows and
/// five columns; what is no matrix follows AdamW's record.
TEST(Optimizer, MuonMovesMatricesByTheirOrthogonalisedDirection) {
  const Record record("optimizers.txt");
  const std::vector<float> gradients = record.Floats("gradients");
  const std::vector<float> adamw = record.Floats("adamw");
  constexpr double kDecay = 0.03;
  const ParameterGroup groups[] = {{0, 30, static_cast<float>(kDecay), 5}, {30, 50, 0.05F}};
  ThreadPool pool(2);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    std::vector<float> weights = record.Floats("start");
    std::vector<double> expected(weights.begin(), weights.begin() + 30);
    std::vector<double> average = expected;
    std::vector<double> mean(30, 0.0);
    Optimizer optimizer({.rule = Rule::kMuon,
                         .momentum = 0.9F,
                         .decay = 0.99F,
                         .epsilon = 1e-8F,
                         .matrix_momentum = 0.8F,
                         .average = true},
                        groups, 50, isa);
    for (size_t step = 0; step < gradients.size() / 50; ++step) {
      const float* g = gradients.data() + step * 50;
      std::vector<float> direction(30);
      for (size_t i = 0; i < 30; ++i) {
        mean[i] = 0.8 * mean[i] + 0.2 * g[i];
        direction[i] = static_cast<float>(0.2 * g[i] + 0.8 * mean[i]);
      }
      Orthogonalizer(6, 5, isa).Run(direction.data(), 6, 5, pool);
      for (size_t i = 0; i < 30; ++i) {
        expected[i] = (1 - 0.01 * kDecay) * expected[i] - 0.01 * 0.2 * std::sqrt(6.0) * direction[i];
        average[i] = 0.9 * average[i] + 0.1 * expected[i];
      }
      optimizer.Step(weights.data(), g, {.learning_rates = kRates, .average_decay = 0.9F}, pool);
      for (size_t i = 0; i < 30; ++i) {
        EXPECT_NEAR(weights[i], expected[i], 2e-6) << "step " << step << " element " << i;
        EXPECT_NEAR(optimizer.Average()[i], average[i], 2e-6);
        EXPECT_EQ(optimizer.Plane(1)[i], 0.0F);
      }
      for (size_t i = 30; i < 50; ++i) EXPECT_NEAR(weights[i], adamw[step * 50 + i], 2e-6);
    }
    // Frozen, it stays; its average doesn't.
    const std::vector<float> frozen = {0.0F, 0.0F};
    const std::vector<float> before = weights;
    optimizer.Step(weights.data(), gradients.data(), {.learning_rates = frozen, .average_decay = 0.9F}, pool);
    EXPECT_EQ(weights, before);
    EXPECT_NEAR(optimizer.Average()[0], 0.9 * average[0] + 0.1 * expected[0], 2e-6);
  }
}

TEST(Optimizer, NormIsOfWhatIsNotFrozen) {
  ThreadPool pool(1);
  std::vector<float> weights(50, 1.0F);
  std::vector<float> gradients(50, 0.0F);
  gradients[0] = 30.0F;
  gradients[40] = -4.0F;
  Optimizer optimizer({.rule = Rule::kSgd, .momentum = 0.0F}, kGroups, 50);
  const std::vector<float> frozen = {0.0F, 0.5F};
  const StepResult result =
      optimizer.Step(weights.data(), gradients.data(), {.learning_rates = frozen, .max_norm = 2.0F}, pool);
  EXPECT_DOUBLE_EQ(result.gradient_norm, 4.0);
  EXPECT_EQ(weights[0], 1.0F);
  // The gradient is halved, decay is not: 1 - 0.5·(-2 + 0.05).
  EXPECT_FLOAT_EQ(weights[40], 1.0F + 1.0F - 0.025F);
  EXPECT_EQ(optimizer.Steps()[0], 0U);
  EXPECT_EQ(optimizer.Steps()[1], 1U);
}

TEST(Optimizer, AverageFollowsWhatIsNotTrainedToo) {
  ThreadPool pool(1);
  const ParameterGroup middle[] = {{10, 20, 0.0F}};
  std::vector<float> weights(30, 1.0F);
  const std::vector<float> gradients(30, 1.0F);
  Optimizer optimizer({.rule = Rule::kSgd, .momentum = 0.0F, .average = true}, middle, 30);
  const std::vector<float> frozen = {0.0F};
  const StepSettings step{.learning_rates = frozen, .average_decay = 0.5F};
  optimizer.Step(weights.data(), gradients.data(), step, pool);
  weights[5] = 3.0F;   // a running statistic
  weights[15] = 2.0F;  // a frozen weight, restored from elsewhere
  optimizer.Step(weights.data(), gradients.data(), step, pool);
  EXPECT_EQ(optimizer.Average()[5], 2.0F);
  EXPECT_EQ(optimizer.Average()[15], 1.5F);
  EXPECT_EQ(optimizer.Average()[25], 1.0F);
  EXPECT_EQ(weights[5], 3.0F);
}

TEST(Optimizer, GradientsThatAreNotNumbersChangeNothing) {
  ThreadPool pool(1);
  std::vector<float> weights(50, 1.0F);
  for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
    std::vector<float> gradients(50, 0.5F);
    gradients[33] = bad;
    Optimizer optimizer({.rule = Rule::kAdamW}, kGroups, 50);
    EXPECT_FALSE(optimizer.Step(weights.data(), gradients.data(), {.learning_rates = kRates}, pool).applied);
    EXPECT_EQ(weights, std::vector<float>(50, 1.0F));
    EXPECT_EQ(optimizer.Steps()[0], 0U);
    for (const float value : optimizer.Plane(0)) EXPECT_EQ(value, 0.0F);
  }
}

/// Sizes that leave remainders, on more than one slice.
std::vector<float> Noise(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<int32_t>(seed)) / 2147483648.0F;
  }
  return values;
}

struct Outcome {
  std::vector<float> weights;
  std::vector<float> average;
  double norm = 0.0;
};

Outcome RunSteps(const OptimizerSettings& settings, Isa isa, int threads, size_t stop_after) {
  const size_t size = 100003;
  const ParameterGroup groups[] = {{0, 70001, 0.001F}, {70016, size, 0.0F}};
  ThreadPool pool(threads);
  auto optimizer = std::make_unique<Optimizer>(settings, groups, size, isa);
  Outcome run{Noise(size, 1), {}, 0.0};
  for (size_t step = 0; step < 4; ++step) {
    if (step == stop_after) {
      // Saved and restored into a new one.
      auto restored = std::make_unique<Optimizer>(settings, groups, size, isa);
      for (size_t p = 0; p < optimizer->PlaneCount(); ++p) {
        std::copy(optimizer->Plane(p).begin(), optimizer->Plane(p).end(), restored->Plane(p).begin());
      }
      std::copy(optimizer->Average().begin(), optimizer->Average().end(), restored->Average().begin());
      std::copy(optimizer->Steps().begin(), optimizer->Steps().end(), restored->Steps().begin());
      restored->SetAveraging(true);
      optimizer = std::move(restored);
    }
    const std::vector<float> gradients = Noise(size, static_cast<uint32_t>(step) + 7);
    run.norm +=
        optimizer->Step(run.weights.data(), gradients.data(), {.learning_rates = kRates, .max_norm = 1.0F}, pool)
            .gradient_norm;
  }
  run.average.assign(optimizer->Average().begin(), optimizer->Average().end());
  return run;
}

TEST(Optimizer, ThreadsInstructionSetsAndResumingChangeNoBit) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(test.name);
    OptimizerSettings settings = test.settings;
    settings.average = true;
    const Outcome base = RunSteps(settings, Isa::kPortable, 1, 99);
    for (const Isa isa : SupportedIsas()) {
      for (const size_t stop_after : {size_t{99}, size_t{2}}) {
        const Outcome other = RunSteps(settings, isa, 5, stop_after);
        EXPECT_EQ(other.weights, base.weights) << IsaName(isa);
        EXPECT_EQ(other.average, base.average) << IsaName(isa);
        EXPECT_EQ(other.norm, base.norm) << IsaName(isa);
      }
    }
    // Between the groups nothing moves.
    const std::vector<float> start = Noise(100003, 1);
    for (size_t i = 70001; i < 70016; ++i) EXPECT_EQ(base.weights[i], start[i]);
    EXPECT_NE(base.weights[70016], start[70016]);
  }
}

TEST(Optimizer, GroupsThatOverlapAreRefused) {
  const ParameterGroup ragged[] = {{0, 30, 0.0F, 7}};
  EXPECT_THROW(Optimizer({.rule = Rule::kMuon}, ragged, 50), std::invalid_argument);
  const ParameterGroup overlapping[] = {{0, 30, 0.0F}, {29, 50, 0.0F}};
  EXPECT_THROW(Optimizer({}, overlapping, 50), std::invalid_argument);
  EXPECT_THROW(Optimizer({}, kGroups, 49), std::invalid_argument);
}

}  // namespace
}  // namespace ssd_prune
