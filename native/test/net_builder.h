// Graphs for tests, with parameters that are the same on every machine.
#pragma once

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/graph.h"
#include "test/random.h"

namespace ssd_prune {

/// Builds graphs; every method returns the number of the value it adds.
class NetBuilder {
 public:
  NetBuilder(int channels, int height, int width) {
    graph.channels = channels;
    graph.height = height;
    graph.width = width;
    shapes_.push_back({channels, height, width});
  }

  Graph graph;
  std::vector<std::vector<float>> parameters;

  int Conv(int from, int outputs, Window window, int groups = 1, bool bias = false) {
    const Shape in = shapes_[from];
    Node node = Start(NodeKind::kConvolution, {from});
    const float limit = std::sqrt(6.0f / static_cast<float>(in.c / groups * window.kernel[0] * window.kernel[1]));
    node.weight =
        Parameter(static_cast<size_t>(outputs) * (in.c / groups) * window.kernel[0] * window.kernel[1], 0, limit);
    if (bias) node.bias = Parameter(outputs, 0.2f, 0.5f);
    node.window = window;
    node.groups = groups;
    return Push(node, outputs, Slide(in.h, window, 0), Slide(in.w, window, 1));
  }
  /// The node behind `value` once more, with the same parameters.
  int Again(int from, int value) {
    Node node = graph.nodes[static_cast<size_t>(value) - 1];
    node.inputs = {from};
    return Push(node, node.channels, node.height, node.width);
  }
  int Pointwise(int from, int outputs, bool bias = false) { return Conv(from, outputs, {}, 1, bias); }
  int DepthwiseConv(int from, Window window, bool bias = false) {
    return Conv(from, shapes_[from].c, window, shapes_[from].c, bias);
  }
  int Norm(int from) {
    Node node = Start(NodeKind::kNormalization, {from});
    node.weight = Parameter(shapes_[from].c, 1, 0.3f);
    node.bias = Parameter(shapes_[from].c, 0.2f, 0.5f);
    node.mean = Parameter(shapes_[from].c, 0, 0.3f);
    node.variance = Parameter(shapes_[from].c, 1, 0.3f);
    return Push(node, shapes_[from].c, shapes_[from].h, shapes_[from].w);
  }
  int Clip(int from, float low, float high) {
    Node node = Start(NodeKind::kClip, {from});
    node.low = low;
    node.high = high;
    return Push(node, shapes_[from].c, shapes_[from].h, shapes_[from].w);
  }
  int Relu6(int from) { return Clip(from, 0, 1.5f); }  // a bound that numbers of these nets reach
  int Relu(int from) { return Clip(from, 0, std::numeric_limits<float>::infinity()); }
  int ScaleBy(int from) {
    Node node = Start(NodeKind::kScale, {from});
    node.weight = Parameter(shapes_[from].c, 1, 0.5f);
    node.bias = Parameter(shapes_[from].c, 0, 0.5f);
    return Push(node, shapes_[from].c, shapes_[from].h, shapes_[from].w);
  }
  int Add(int a, int b) { return Push(Start(NodeKind::kAdd, {a, b}), shapes_[a].c, shapes_[a].h, shapes_[a].w); }
  int Concat(int a, int b) {
    return Push(Start(NodeKind::kConcat, {a, b}), shapes_[a].c + shapes_[b].c, shapes_[a].h, shapes_[a].w);
  }
  int Pool(int from, bool average, Window window, bool count_padding = false) {
    Node node = Start(average ? NodeKind::kAveragePool : NodeKind::kMaxPool, {from});
    node.window = window;
    node.count_padding = count_padding;
    const Shape in = shapes_[from];
    return Push(node, in.c, Slide(in.h, window, 0), Slide(in.w, window, 1));
  }
  void Out(std::vector<int> parts, int width) { graph.outputs.push_back({std::move(parts), width}); }

 private:
  struct Shape {
    int c, h, w;
  };
  static Node Start(NodeKind kind, std::vector<int> inputs) {
    Node node;
    node.kind = kind;
    node.inputs = std::move(inputs);
    return node;
  }
  static int Slide(int size, const Window& w, int axis) {
    return (size + w.pad[axis] + w.pad_end[axis] - (w.kernel[axis] - 1) * w.dilation[axis] - 1) / w.stride[axis] + 1;
  }
  int Parameter(size_t count, float middle, float spread) {
    auto values = RandomFloats(count, parameters.size() + 100);
    for (float& value : values) value = middle + spread * value;
    parameters.push_back(std::move(values));
    graph.parameters.push_back(count);
    return static_cast<int>(parameters.size()) - 1;
  }
  int Push(Node node, int channels, int height, int width) {
    node.channels = channels;
    node.height = height;
    node.width = width;
    graph.nodes.push_back(node);
    shapes_.push_back({channels, height, width});
    return static_cast<int>(shapes_.size()) - 1;
  }
  std::vector<Shape> shapes_;
};

inline Window Square(int kernel, int stride, int pad, int pad_end, int dilation = 1) {
  return {.kernel = {kernel, kernel},
          .stride = {stride, stride},
          .dilation = {dilation, dilation},
          .pad = {pad, pad},
          .pad_end = {pad_end, pad_end}};
}

}  // namespace ssd_prune
