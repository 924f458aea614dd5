// Whole small networks: outputs against a naive reference in double, every gradient against finite differences of it,
// on every instruction set, and the same bits at any number of threads.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/arena.h"
#include "test/net_builder.h"
#include "test/random.h"
#include "test/reference_net.h"

namespace ssd_prune {
namespace {

/// Stem, separable blocks with both strides, two taps, heads: the family that this product prunes.
NetBuilder MobileNet(bool folded, int pad_before) {
  NetBuilder net(3, 23, 27);
  const auto finish = [&](int value) { return folded ? net.Relu6(value) : net.Relu6(net.Norm(value)); };
  const int pad_end = 1;
  int x = finish(net.Conv(0, 5, Square(3, 2, pad_before, pad_end), 1, folded));
  x = finish(net.DepthwiseConv(x, Square(3, 1, 1, 1), folded));
  x = finish(net.Pointwise(x, 37, folded));
  x = finish(net.DepthwiseConv(x, Square(3, 2, pad_before, pad_end), folded));
  const int tap = finish(net.Pointwise(x, 53, folded));
  x = finish(net.Pointwise(tap, 19, folded));
  x = finish(net.Conv(x, 21, Square(3, 2, 1, 1), 1, folded));
  net.Out({net.Pointwise(tap, 12, true), net.Pointwise(x, 8, true)}, 4);
  net.Out({net.Pointwise(tap, 9, true), net.Pointwise(x, 6, true)}, 3);
  return net;
}

/// Every operation in the company that the fusions must not get wrong.
NetBuilder Mixed() {
  NetBuilder net(4, 14, 11);
  int x = net.Norm(0);
  x = net.Relu(net.Norm(net.Conv(
      x, 18, {.kernel = {3, 2}, .stride = {1, 2}, .dilation = {2, 1}, .pad = {2, 0}, .pad_end = {1, 1}}, 1, true)));
  const int grouped = net.Conv(x, 12, Square(3, 1, 1, 1), 6, true);
  const int normed = net.Norm(grouped);
  const int both = net.Add(net.Relu(normed), normed);  // one tensor seen in two ways
  const int five = net.DepthwiseConv(both, Square(5, 1, 4, 4, 2));
  const int maximum = net.Pool(x, false, Square(3, 2, 1, 0));
  const int mean = net.Pool(net.ScaleBy(x), true, Square(3, 2, 1, 0), true);
  const int joined = net.Concat(net.Relu6(net.Norm(net.Concat(maximum, net.Pool(five, false, Square(2, 2, 0, 0))))),
                                net.Clip(net.Pool(mean, true, Square(1, 1, 0, 0)), -0.5f, 0.5f));
  const int far = net.Conv(joined, 7, Square(2, 3, 0, 0));
  const int twice = net.Add(far, far);
  net.Out({twice, five, net.Again(net.Clip(x, 0.1f, 0.7f), grouped)}, 1);
  return net;
}

/// Sums of several blocks, output channels in parts, several slices.
NetBuilder Wide() {
  NetBuilder net(3, 11, 13);
  int x = net.Relu(net.Norm(net.Conv(0, 290, Square(3, 1, 1, 1))));
  x = net.Relu(net.Norm(net.Pointwise(x, 270)));
  x = net.Relu(net.Conv(x, 30, Square(3, 2, 1, 1), 1, true));
  net.Out({x}, 3);
  return net;
}

NetBuilder MakeNet(const std::string& name) {
  if (name == "Normalised") return MobileNet(false, 1);
  if (name == "Folded") return MobileNet(true, 0);
  if (name == "Mixed") return Mixed();
  return Wide();
}

constexpr size_t kBatch = 3;

void Fill(Engine& engine, const NetBuilder& net, uint64_t seed) {
  for (size_t i = 0; i < net.parameters.size(); ++i) {
    std::copy(net.parameters[i].begin(), net.parameters[i].end(), engine.weights().begin() + engine.offsets()[i]);
  }
  const auto picture = RandomFloats(engine.picture().size(), seed);
  std::copy(picture.begin(), picture.end(), engine.picture().begin());
  for (size_t i = 0; i < net.graph.outputs.size(); ++i) {
    const auto derivatives = RandomFloats(engine.output(i).size(), seed + 1 + i);
    std::copy(derivatives.begin(), derivatives.end(), engine.output_derivatives(i).begin());
  }
}

std::vector<double> Doubles(std::span<const float> values) { return {values.begin(), values.end()}; }

/// What double arithmetic says about a net: its outputs, statistics after the step, and slopes of Σ output ·
/// derivative.
struct Expected {
  std::vector<double> outputs;
  std::vector<std::vector<double>> updated;
  struct Slope {
    size_t parameter;
    size_t index;
    double value;
  };
  std::vector<Slope> slopes;
};

/// Finite differences in double are slow: once for all instruction sets. A step of 1e-6 leaves errors of about 1e-9,
/// and hardly ever crosses a bound of a clip.
const Expected& ExpectedOf(const std::string& name, bool batch_statistics) {
  static std::map<std::pair<std::string, bool>, Expected> known;
  const auto found = known.find({name, batch_statistics});
  if (found != known.end()) return found->second;
  Expected& expected = known[{name, batch_statistics}];
  const NetBuilder net = MakeNet(name);
  ThreadPool pool(1);
  Engine engine(net.graph, kBatch, pool, Isa::kPortable);
  Fill(engine, net, 5);  // for its numbers only
  const std::vector<double> picture = Doubles(engine.picture());
  std::vector<double> derivatives;
  for (size_t i = 0; i < net.graph.outputs.size(); ++i) {
    for (const float value : engine.output_derivatives(i)) derivatives.push_back(value);
  }
  std::vector<std::vector<double>> parameters;
  for (const auto& values : net.parameters) parameters.push_back(Doubles(values));
  const ReferenceNet reference{net.graph, kBatch, batch_statistics};
  expected.updated = parameters;
  expected.outputs = reference.RunAndUpdate(picture, expected.updated);
  const auto loss = [&] {
    const auto outputs = reference.Run(picture, parameters);
    double sum = 0;
    for (size_t i = 0; i < outputs.size(); ++i) sum += outputs[i] * derivatives[i];
    return sum;
  };
  std::vector<bool> trained(parameters.size(), false);
  for (const Node& node : net.graph.nodes) {
    if (node.kind != NodeKind::kConvolution && node.kind != NodeKind::kNormalization) continue;
    trained[node.weight] = true;
    if (node.bias >= 0) trained[node.bias] = true;
  }
  const size_t most = name == "Wide" ? 3 : 12;  // of each parameter, spread evenly
  for (size_t p = 0; p < parameters.size(); ++p) {
    if (!trained[p]) continue;
    const size_t count = std::min(most, parameters[p].size());
    for (size_t k = 0; k < count; ++k) {
      const size_t i = k * (parameters[p].size() - 1) / std::max<size_t>(count - 1, 1);
      constexpr double kStep = 1e-6;
      const double value = parameters[p][i];
      parameters[p][i] = value + kStep;
      const double above = loss();
      parameters[p][i] = value - kStep;
      const double below = loss();
      parameters[p][i] = value;
      expected.slopes.push_back({p, i, (above - below) / (2 * kStep)});
    }
  }
  return expected;
}

class EngineTest : public testing::TestWithParam<std::tuple<std::string, bool>> {};

INSTANTIATE_TEST_SUITE_P(Nets, EngineTest,
                         testing::Combine(testing::Values("Normalised", "Folded", "Mixed", "Wide"), testing::Bool()),
                         [](const auto& test) {
                           return std::get<0>(test.param) + (std::get<1>(test.param) ? "" : "Frozen");
                         });

TEST_P(EngineTest, OutputsAndGradients) {
  const auto& [name, batch_statistics] = GetParam();
  const NetBuilder net = MakeNet(name);
  const Expected& expected = ExpectedOf(name, batch_statistics);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    ThreadPool pool(2);
    Engine engine(net.graph, kBatch, pool, isa);
    Fill(engine, net, 5);
    engine.Forward(batch_statistics);
    size_t at = 0;
    for (size_t i = 0; i < net.graph.outputs.size(); ++i) {
      for (const float value : engine.output(i)) {
        const double wanted = expected.outputs.at(at++);
        ASSERT_NEAR(value, wanted, 2e-4 * std::max(1.0, std::abs(wanted))) << "output " << i << ", number " << at - 1;
      }
    }
    ASSERT_EQ(at, expected.outputs.size());
    for (const Node& node : net.graph.nodes) {
      if (node.kind != NodeKind::kNormalization) continue;
      for (const int parameter : {node.mean, node.variance}) {
        for (size_t i = 0; i < expected.updated[parameter].size(); ++i) {
          ASSERT_NEAR(engine.weights()[engine.offsets()[parameter] + i], expected.updated[parameter][i], 2e-5);
        }
      }
    }

    engine.Backward(false);
    const std::vector<float> gradients(engine.gradients().begin(), engine.gradients().end());
    for (const auto& [p, i, slope] : expected.slopes) {
      const float* all = &gradients[engine.offsets()[p]];
      double largest = 1;
      for (size_t k = 0; k < net.parameters[p].size(); ++k) largest = std::max(largest, std::abs(double{all[k]}));
      ASSERT_NEAR(all[i], slope, 5e-4 * largest) << "parameter " << p << ", number " << i;
    }

    // Adding the same again doubles them.
    engine.Forward(batch_statistics);
    engine.Backward(true);
    for (size_t i = 0; i < gradients.size(); ++i) {
      ASSERT_NEAR(engine.gradients()[i], 2 * gradients[i], 1e-3 * std::max(1.0f, std::abs(gradients[i])));
    }
  }
}

double Norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

/// Norm of the difference from `exact`, in norms of that.
double Apart(std::span<const float> values, std::span<const float> exact) {
  std::vector<float> differences(values.size());
  for (size_t i = 0; i < values.size(); ++i) differences[i] = values[i] - exact[i];
  return Norm(differences) / Norm(exact);
}

/// Convolutions of every pass, and nothing that bends: a clip would let a small difference switch places on and off.
NetBuilder Straight() {
  NetBuilder net(3, 21, 19);
  int x = net.Norm(net.Conv(0, 37, Square(3, 2, 1, 1)));
  x = net.Pointwise(net.DepthwiseConv(x, Square(3, 1, 1, 1), true), 53, true);
  x = net.Norm(net.Pointwise(x, 290));
  x = net.Pointwise(x, 270, true);
  // Windows over a map without padded channels, and over one of an odd number: their sums begin at any of them.
  const int even = net.Conv(net.Pointwise(x, 32), 14, Square(3, 2, 1, 1));
  const int odd = net.Conv(net.Pointwise(x, 61), 14, Square(3, 2, 1, 1));
  net.Out({net.Conv(net.Concat(even, odd), 6, Square(3, 1, 1, 1), 1, true), net.Pointwise(x, 9, true)}, 3);
  return net;
}

// Rounding a factor to 8 bits leaves an error of at most 2^-9 of it; sums even them out, layers add them up.
TEST(Engine, Bfloat16ComesNear) {
  const NetBuilder net = Straight();
  for (const Isa isa : SupportedIsas()) {
    if (!HasPrecision(isa, Precision::kBfloat16)) continue;
    ThreadPool pool(2);
    Engine exact(net.graph, kBatch, pool, isa);
    Engine rounded(net.graph, kBatch, pool, isa, Engine::Use::kTraining, Precision::kBfloat16);
    for (Engine* engine : {&exact, &rounded}) {
      Fill(*engine, net, 5);
      engine->Forward(true);
      engine->Backward(false);
    }
    const double apart = Apart(rounded.output(0), exact.output(0));
    EXPECT_LT(apart, 0.01);
    EXPECT_GT(apart, 1e-5);
    for (size_t p = 0; p < net.parameters.size(); ++p) {
      const auto gradient = [&](Engine& engine) {
        return std::span<const float>(engine.gradients().data() + engine.offsets()[p], net.parameters[p].size());
      };
      // Not those of statistics, nor of biases that a normalisation takes away again.
      if (Norm(gradient(exact)) < 1e-4 * Norm(exact.gradients())) continue;
      EXPECT_LT(Apart(gradient(rounded), gradient(exact)), 0.02) << "parameter " << p;
    }
  }
}

// 0.7 is no bfloat16, and the nearest one lies below it: stored there, a number would seem to be inside the clip.
TEST(Engine, ClipsOfBfloat16AreShutAtTheirBounds) {
  for (const Isa isa : SupportedIsas()) {
    if (!HasPrecision(isa, Precision::kBfloat16)) continue;
    NetBuilder net(3, 9, 7);
    const int x = net.Clip(net.Pointwise(0, 16, true), -0.7f, 0.7f);
    net.Out({net.Pointwise(x, 16, true)}, 4);
    std::vector<float>& biases = net.parameters[1];
    for (size_t c = 0; c < biases.size(); ++c) biases[c] = c % 2 == 0 ? 40.0f : -40.0f;  // beyond either bound
    ThreadPool pool(1);
    Engine engine(net.graph, kBatch, pool, isa, Engine::Use::kTraining, Precision::kBfloat16);
    Fill(engine, net, 5);
    engine.Forward(true);
    engine.Backward(false);
    EXPECT_GT(Norm(engine.gradients()), 1.0);
    for (const size_t p : {0, 1}) {
      EXPECT_EQ(Norm(engine.gradients().subspan(engine.offsets()[p], net.parameters[p].size())), 0.0);
    }
  }
}

/// Two maps of a net that are looked at: one behind normalisation and clip that others read, too, and one before heads.
NetBuilder Watched() {
  NetBuilder net(3, 13, 11);
  const int early = net.Relu6(net.Norm(net.Conv(0, 21, Square(3, 2, 1, 1))));
  const int late = net.Relu6(net.Pointwise(net.DepthwiseConv(early, Square(3, 1, 1, 1), true), 19, true));
  net.Out({net.Pointwise(late, 8, true)}, 4);
  net.graph.features = {{early, {0, 7, 20, 3}}, {late, {16, 17, 18}}};
  return net;
}

// The loss is a sum over features of weight·Σ(seen − wanted)². Finite differences in float32 carry noise: the step is
// large, and few slopes are taken where the norm of a parameter's gradient tells them from it.
TEST(Engine, FeaturesHaveTheSlopesOfTheirSquares) {
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const NetBuilder net = Watched();
    ThreadPool pool(2);
    Engine engine(net.graph, kBatch, pool, isa);
    Fill(engine, net, 5);
    std::ranges::fill(engine.output_derivatives(0), 0.0f);
    const std::vector<float> weights(engine.weights().begin(), engine.weights().end());
    const double shares[] = {0.5, 0.3};
    std::vector<std::vector<float>> wanted;
    for (size_t i = 0; i < engine.features(); ++i) {
      wanted.push_back(RandomFloats(engine.feature(i).floats(), 40 + i));
      engine.feature(i).Compare(wanted[i].data(), shares[i]);
    }
    const auto loss = [&] {
      engine.Forward(false);
      double sum = 0;
      for (size_t i = 0; i < engine.features(); ++i) sum += shares[i] * engine.feature(i).squares();
      return sum;
    };
    loss();
    engine.Backward(false);
    const std::vector<float> gradients(engine.gradients().begin(), engine.gradients().end());
    size_t checked = 0;
    // Filters and biases of the three convolutions before the head.
    for (const Node& node : net.graph.nodes) {
      if (node.kind != NodeKind::kConvolution || node.channels == 8) continue;
      for (const int p : {node.weight, node.bias}) {
        if (p < 0) continue;
        const float* own = &gradients[engine.offsets()[p]];
        const size_t size = net.parameters[p].size();
        const auto largest = static_cast<size_t>(
            std::max_element(own, own + size, [](float a, float b) { return std::abs(a) < std::abs(b); }) - own);
        for (const size_t i : {largest, size / 2}) {
          constexpr float kStep = 1e-3f;
          float& weight = engine.weights()[engine.offsets()[p] + i];
          const float before = weight;
          weight = before + kStep;
          const double above = loss();
          weight = before - kStep;
          const double below = loss();
          weight = before;
          ASSERT_NEAR(own[i], (above - below) / (2 * kStep), 0.02 * std::abs(double{own[largest]})) << p << ", " << i;
          ++checked;
        }
      }
    }
    EXPECT_EQ(checked, 10U);
    // Not compared, they add nothing.
    for (size_t i = 0; i < engine.features(); ++i) engine.feature(i).Compare(nullptr, shares[i]);
    EXPECT_EQ(loss(), 0.0);
    engine.Backward(false);
    EXPECT_EQ(Norm(engine.gradients()), 0.0);
  }
}

class EngineThreads : public testing::TestWithParam<std::tuple<std::string, Precision>> {};

std::vector<Precision> Precisions() {
  std::vector<Precision> precisions{Precision::kFloat32};
  if (HasPrecision(SupportedIsas().front(), Precision::kBfloat16)) precisions.push_back(Precision::kBfloat16);
  return precisions;
}

INSTANTIATE_TEST_SUITE_P(Nets, EngineThreads,
                         testing::Combine(testing::Values("Normalised", "Folded", "Mixed", "Wide"),
                                          testing::ValuesIn(Precisions())));

TEST_P(EngineThreads, ChangeNoBit) {
  const auto& [name, precision] = GetParam();
  const NetBuilder net = MakeNet(name);
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    Engine engine(net.graph, kBatch, pool, SupportedIsas().front(), Engine::Use::kTraining, precision);
    Fill(engine, net, 9);
    engine.Forward(true);
    engine.Backward(false);
    std::vector<float> all(engine.gradients().begin(), engine.gradients().end());
    all.insert(all.end(), engine.weights().begin(), engine.weights().end());
    for (size_t i = 0; i < net.graph.outputs.size(); ++i) {
      all.insert(all.end(), engine.output(i).begin(), engine.output(i).end());
    }
    if (first.empty()) first = all;
    ASSERT_EQ(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)), 0) << threads << " threads";
  }
}

TEST(Engine, StepsDontDependOnTheStepBefore) {
  const NetBuilder net = MakeNet("Normalised");
  ThreadPool pool(2);
  Engine engine(net.graph, kBatch, pool, SupportedIsas().front());
  const auto step = [&](uint64_t seed) {
    Fill(engine, net, seed);
    engine.Forward(true);
    engine.Backward(false);
    return std::vector<float>(engine.gradients().begin(), engine.gradients().end());
  };
  const auto first = step(1);
  step(2);
  EXPECT_EQ(step(1), first);
}

TEST(Engine, RefusesGraphsThatDontHoldTogether) {
  ThreadPool pool(1);
  const auto make = [&](const NetBuilder& net) { Engine(net.graph, 1, pool, Isa::kPortable); };
  NetBuilder sizes(3, 8, 8);
  sizes.Out({sizes.Pointwise(0, 5)}, 1);
  EXPECT_NO_THROW(make(sizes));
  sizes.graph.parameters[0] = 14;
  EXPECT_THROW(make(sizes), std::invalid_argument);
  NetBuilder boxes(3, 8, 8);
  boxes.Out({boxes.Pointwise(0, 5)}, 2);
  EXPECT_THROW(make(boxes), std::invalid_argument);
  NetBuilder later(3, 8, 8);
  later.Out({later.Pointwise(0, 5)}, 5);
  later.graph.nodes[0].inputs[0] = 1;
  EXPECT_THROW(make(later), std::invalid_argument);
  NetBuilder unread(3, 8, 8);
  unread.Pointwise(0, 5);
  unread.Out({unread.Pointwise(0, 5)}, 5);
  EXPECT_THROW(make(unread), std::invalid_argument);
}

TEST(Arena, LivesThatMeetDontShare) {
  std::vector<ArenaItem> items{{100, 0, 9}, {50, 1, 2}, {40, 3, 4}, {30, 2, 3}, {200, 5, 6}, {0, 0, 9}};
  const size_t total = LayOut(items);
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(items[i].offset % 16, 0u);
    EXPECT_LE(items[i].offset + items[i].floats, total);
    for (size_t j = 0; j < i; ++j) {
      const bool meet = items[i].begin <= items[j].end && items[j].begin <= items[i].end;
      const bool apart =
          items[i].offset + items[i].floats <= items[j].offset || items[j].offset + items[j].floats <= items[i].offset;
      EXPECT_TRUE(!meet || apart) << i << " and " << j;
    }
  }
  // 100 (112) lives always, beside 200 (208): nothing smaller is possible, and the small ones fit into the 208.
  EXPECT_EQ(total, 320u);
}

}  // namespace
}  // namespace ssd_prune
