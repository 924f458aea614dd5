#include "engine/plan.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

#include "engine/arena.h"
#include "engine/convolution.h"
#include "engine/depthwise.h"
#include "engine/join.h"
#include "engine/pool.h"
#include "kernels/float_formats.h"

namespace ssd_prune {
namespace {

/// Numbers that whole-register reads may touch past a tensor.
constexpr size_t kSlack = 16;

class Planner {
 public:
  Planner(const Graph& graph, size_t batch, bool trains, Precision precision)
      : graph_(graph), batch_(batch), trains_(trains), precision_(precision) {}

  Plan Make() {
    CountReaders();
    AddTensor(graph_.channels, graph_.height, graph_.width)->pitch = static_cast<size_t>(graph_.channels);
    values_.push_back(plan_.tensors[0].get());
    plan_.features.resize(graph_.features.size());
    for (node_ = 0; node_ < static_cast<int>(graph_.nodes.size()); ++node_) {
      values_.push_back(Lower());
      AddFeatures();
    }
    node_ = -1;
    for (const Output& output : graph_.outputs) AddHeads(output);
    AssignRoles();
    AssignStorage();
    AssignPlaces();
    return std::move(plan_);
  }

 private:
  [[noreturn]] void Refuse(const std::string& why) const {
    throw std::invalid_argument("node " + std::to_string(node_) + ": " + why);
  }

  const Node& node() const { return graph_.nodes[static_cast<size_t>(node_)]; }

  void Check(bool fits, const char* why) const {
    if (!fits) Refuse(why);
  }

  void CheckParameter(int parameter, size_t numbers) const {
    if (parameter < 0 || static_cast<size_t>(parameter) >= graph_.parameters.size()) Refuse("no such parameter");
    if (graph_.parameters[static_cast<size_t>(parameter)] != numbers) Refuse("a parameter of another size");
  }

  void CountReaders() {
    readers_.assign(graph_.nodes.size() + 1, 0);
    const auto count = [&](int value, int before) {
      if (value < 0 || value > before) throw std::invalid_argument("value " + std::to_string(value) + " is not there");
      ++readers_[static_cast<size_t>(value)];
    };
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const int value : graph_.nodes[i].inputs) count(value, static_cast<int>(i));
    }
    for (const Output& output : graph_.outputs) {
      for (const int value : output.parts) count(value, static_cast<int>(graph_.nodes.size()));
    }
    for (const Feature& feature : graph_.features) {
      if (feature.value == 0) throw std::invalid_argument("the picture is no feature");
      count(feature.value, static_cast<int>(graph_.nodes.size()));
    }
  }

  Tensor* AddTensor(int channels, int height, int width) {
    Check(channels > 0 && height > 0 && width > 0, "an empty tensor");
    auto tensor = std::make_unique<Tensor>();
    tensor->batch = batch_;
    tensor->channels = static_cast<size_t>(channels);
    tensor->height = static_cast<size_t>(height);
    tensor->width = static_cast<size_t>(width);
    tensor->pitch = PitchOf(tensor->channels);
    plan_.tensors.push_back(std::move(tensor));
    return plan_.tensors.back().get();
  }

  Tensor* NewOutput() { return AddTensor(node().channels, node().height, node().width); }

  Operation* AddOperation(std::unique_ptr<Operation> operation, std::vector<Tensor*> inputs, Tensor* output) {
    operation->inputs = std::move(inputs);
    operation->output = output;
    operation->node = node_;
    plan_.operations.push_back(std::move(operation));
    return plan_.operations.back().get();
  }

  Tensor* Input(size_t i) const { return values_[static_cast<size_t>(node().inputs.at(i))]; }

  /// The tensor behind the node's input for this node to change how it is seen: itself where nobody else reads it and
  /// `open` allows it, else a copy.
  Tensor* Own(bool open) {
    Tensor* tensor = Input(0);
    const bool alone = readers_[static_cast<size_t>(node().inputs[0])] == 1;
    if (alone && open && tensor != plan_.tensors[0].get()) return tensor;
    Tensor* copy = AddTensor(static_cast<int>(tensor->channels), static_cast<int>(tensor->height),
                             static_cast<int>(tensor->width));
    AddOperation(std::make_unique<Scale>(Scale::Constant{}, Scale::Constant{}), {tensor}, copy);
    return copy;
  }

  bool SameShape(const Tensor& a, const Tensor& b) const {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
  }

  Tensor* Lower() {
    Check(!node().inputs.empty(), "no input");
    switch (node().kind) {
      case NodeKind::kConvolution:
        return LowerConvolution();
      case NodeKind::kNormalization:
        return LowerNormalization();
      case NodeKind::kClip: {
        Check(node().low <= node().high, "bounds of a clip that cross");
        Tensor* tensor = Own(!Input(0)->clip);
        tensor->clip = true;
        tensor->low = node().low;
        tensor->high = node().high;
        return tensor;
      }
      case NodeKind::kScale: {
        Tensor* out = NewOutput();
        Check(SameShape(*Input(0), *out), "another shape than its input");
        AddOperation(std::make_unique<Scale>(Constant(node().weight), Constant(node().bias)), {Input(0)}, out);
        return out;
      }
      case NodeKind::kAdd:
      case NodeKind::kConcat:
        return LowerJoin();
      case NodeKind::kMaxPool:
      case NodeKind::kAveragePool: {
        Tensor* out = NewOutput();
        CheckWindow();
        Check(Input(0)->channels == out->channels, "other channels than its input");
        const bool average = node().kind == NodeKind::kAveragePool;
        AddOperation(std::make_unique<Pool>(node().window, average, node().count_padding, Input(0), out), {Input(0)},
                     out);
        return out;
      }
    }
    Refuse("unknown kind");
  }

  Scale::Constant Constant(int parameter) const {
    if (parameter < 0) return {};
    const bool single = static_cast<size_t>(parameter) < graph_.parameters.size() &&
                        graph_.parameters[static_cast<size_t>(parameter)] == 1;
    if (!single) CheckParameter(parameter, static_cast<size_t>(node().channels));
    return {parameter, single ? size_t{0} : size_t{1}};
  }

  void CheckWindow() const {
    const Window& w = node().window;
    for (const size_t axis : {0, 1}) {
      Check(w.kernel[axis] > 0 && w.stride[axis] > 0 && w.dilation[axis] > 0, "a window without size");
      Check(w.pad[axis] >= 0 && w.pad_end[axis] >= 0, "negative padding");
    }
  }

  Tensor* LowerConvolution() {
    CheckWindow();
    Tensor* in = Input(0);
    Tensor* out = NewOutput();
    const size_t groups = static_cast<size_t>(std::max(node().groups, 1));
    const size_t taps = static_cast<size_t>(node().window.kernel[0]) * static_cast<size_t>(node().window.kernel[1]);
    Check(in->channels % groups == 0 && out->channels % groups == 0, "channels that the groups don't divide");
    CheckParameter(node().weight, out->channels * (in->channels / groups) * taps);
    if (node().bias >= 0) {
      CheckParameter(node().bias, out->channels);
      out->bias = node().bias;
      out->bias_vector = Buffer(out->pitch);
    }
    const bool depthwise = groups > 1 && groups == in->channels && groups == out->channels &&
                           taps <= Depthwise::kMaxTaps && in != plan_.tensors[0].get();
    if (depthwise) {
      AddOperation(std::make_unique<Depthwise>(node().window, node().weight, in, out), {in}, out);
    } else {
      AddOperation(std::make_unique<Convolution>(node().window, static_cast<int>(groups), node().weight, in, out), {in},
                   out);
    }
    return out;
  }

  Tensor* LowerNormalization() {
    Tensor* tensor = Own(!Input(0)->clip && !Input(0)->normalization);
    for (const int parameter : {node().weight, node().bias, node().mean, node().variance}) {
      CheckParameter(parameter, tensor->channels);
    }
    Normalization normalization;
    normalization.scale = node().weight;
    normalization.shift = node().bias;
    normalization.mean = node().mean;
    normalization.variance = node().variance;
    normalization.epsilon = node().epsilon;
    normalization.momentum = node().momentum;
    normalization.pitch = tensor->pitch;
    normalization.vectors = Buffer(7 * tensor->pitch + kSlack);
    tensor->normalization = std::move(normalization);
    return tensor;
  }

  Tensor* LowerJoin() {
    const bool concat = node().kind == NodeKind::kConcat;
    Tensor* out = NewOutput();
    std::vector<Tensor*> inputs;
    size_t channels = 0;
    for (size_t i = 0; i < node().inputs.size(); ++i) {
      inputs.push_back(Input(i));
      channels += Input(i)->channels;
      Check(Input(i)->height == out->height && Input(i)->width == out->width, "inputs of different sizes");
      Check(concat || Input(i)->channels == out->channels, "inputs of different widths");
    }
    Check(!concat || channels == out->channels, "another width than its inputs together");
    if (concat) {
      AddOperation(std::make_unique<Concat>(), std::move(inputs), out);
    } else {
      AddOperation(std::make_unique<Add>(), std::move(inputs), out);
    }
    return out;
  }

  /// Those of the value that was made last: backwards they are then the last to add to its gradient, so that it need
  /// not live for longer.
  void AddFeatures() {
    for (size_t i = 0; i < graph_.features.size(); ++i) {
      const Feature& feature = graph_.features[i];
      if (feature.value != node_ + 1) continue;
      std::vector<size_t> channels;
      for (const int channel : feature.channels) {
        Check(channel >= 0 && static_cast<size_t>(channel) < values_.back()->channels, "no such channel of a feature");
        channels.push_back(static_cast<size_t>(channel));
      }
      Operation* map =
          AddOperation(std::make_unique<FeatureMap>(values_.back(), std::move(channels)), {values_.back()}, nullptr);
      plan_.features[i] = static_cast<FeatureMap*>(map);
    }
  }

  void AddHeads(const Output& output) {
    size_t picture = 0;
    std::vector<size_t> firsts;
    for (const int part : output.parts) {
      const Tensor& tensor = *values_[static_cast<size_t>(part)];
      Check(output.width > 0 && tensor.channels % static_cast<size_t>(output.width) == 0, "channels that are no boxes");
      firsts.push_back(picture);
      picture += tensor.height * tensor.width * tensor.channels;
    }
    plan_.heads.emplace_back();
    plan_.output_floats.push_back(picture);
    for (size_t i = 0; i < output.parts.size(); ++i) {
      Tensor* tensor = values_[static_cast<size_t>(output.parts[i])];
      Operation* head = AddOperation(std::make_unique<Head>(tensor, firsts[i], picture), {tensor}, nullptr);
      plan_.heads.back().push_back(static_cast<Head*>(head));
    }
  }

  /// Backwards, operations run from last to first and each one's inputs in order: the first to reach a tensor writes,
  /// the last finishes.
  void AssignRoles() {
    std::map<const Tensor*, GradientRole*> last;
    for (auto operation = plan_.operations.rbegin(); operation != plan_.operations.rend(); ++operation) {
      (*operation)->roles.resize((*operation)->inputs.size());
      for (size_t i = 0; i < (*operation)->inputs.size(); ++i) {
        const Tensor* tensor = (*operation)->inputs[i];
        GradientRole& role = (*operation)->roles[i];
        role.wanted = tensor != plan_.tensors[0].get();
        const auto before = last.find(tensor);
        role.add = before != last.end();
        if (role.add) before->second->finish = false;
        last[tensor] = &role;
      }
    }
    for (const auto& operation : plan_.operations) {
      if (operation->output != nullptr && !last.contains(operation->output)) {
        node_ = operation->node;
        Refuse("nobody reads what it puts out");
      }
    }
  }

  /// Where products multiply bfloat16, what lies between them is stored so; not the picture, nor what heads hand out.
  /// What is stored clipped gets bounds that bfloat16 holds: a number at a bound then stays there, and has no gradient.
  void AssignStorage() {
    if (precision_ == Precision::kFloat32) return;
    for (size_t i = 1; i < plan_.tensors.size(); ++i) plan_.tensors[i]->half = true;
    for (const auto& operation : plan_.operations) {
      if (operation->TakesHalf()) continue;
      for (Tensor* input : operation->inputs) input->half = false;
      if (operation->output != nullptr) operation->output->half = false;
    }
    for (const auto& tensor : plan_.tensors) {
      if (!tensor->half || !tensor->clip || tensor->normalization) continue;
      tensor->low = RoundToBfloat16(tensor->low);
      tensor->high = RoundToBfloat16(tensor->high);
    }
  }

  void AssignPlaces() {
    const int moments = 2 * static_cast<int>(plan_.operations.size());
    std::map<const Tensor*, std::pair<int, int>> lives;  // forward moments of maker and last reader
    lives[plan_.tensors[0].get()] = {0, 0};
    for (int i = 0; i < moments / 2; ++i) {
      const Operation& operation = *plan_.operations[static_cast<size_t>(i)];
      if (operation.output != nullptr) lives[operation.output] = {i, i};
      for (const Tensor* input : operation.inputs) lives[input].second = i;
    }
    std::vector<ArenaItem> items;
    for (const auto& tensor : plan_.tensors) {
      const auto [made, read] = lives[tensor.get()];
      const size_t floats = tensor->rows() * tensor->stride() + kSlack;
      // The picture is filled in before the step, and the caller may look at it after.
      const bool picture = tensor.get() == plan_.tensors[0].get();
      if (!trains_) {
        items.push_back({floats, picture ? -1 : made, picture ? moments : read});
        items.push_back({0, made, made});
        continue;
      }
      items.push_back({floats, picture ? -1 : made, picture ? moments : moments - 1 - made});
      items.push_back({picture ? 0 : floats, moments - 1 - read, moments - 1 - made});
    }
    plan_.arena_floats = LayOut(items);
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      plan_.places.push_back({items[2 * i].offset, items[2 * i + 1].offset});
    }
  }

  const Graph& graph_;
  const size_t batch_;
  const bool trains_;
  const Precision precision_;
  Plan plan_;
  std::vector<int> readers_;
  std::vector<Tensor*> values_;
  int node_ = -1;
};

}  // namespace

Plan MakePlan(const Graph& graph, size_t batch, bool trains, Precision precision) {
  return Planner(graph, batch, trains, precision).Make();
}

}  // namespace ssd_prune
