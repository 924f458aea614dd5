#include "addon/graph.h"

#include <array>
#include <vector>

#include "addon/arguments.h"

namespace ssd_prune {
namespace {

int Small(const Napi::Object& object, const char* name) { return static_cast<int>(Int(object, name)); }

std::vector<int> Ints(const Napi::Object& object, const char* name) {
  const auto array = object.Get(name).As<Napi::Array>();
  std::vector<int> values(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) values[i] = array.Get(i).As<Napi::Number>().Int32Value();
  return values;
}

std::array<int, 2> Pair(const Napi::Object& object, const char* name) {
  const std::vector<int> values = Ints(object, name);
  return {values.at(0), values.at(1)};
}

Node ReadNode(const Napi::Object& object) {
  Node node;
  node.kind = static_cast<NodeKind>(Small(object, "kind"));
  node.inputs = Ints(object, "inputs");
  node.channels = Small(object, "channels");
  node.height = Small(object, "height");
  node.width = Small(object, "width");
  node.window = {Pair(object, "kernel"), Pair(object, "stride"), Pair(object, "dilation"), Pair(object, "pad"),
                 Pair(object, "padEnd")};
  node.groups = Small(object, "groups");
  node.weight = Small(object, "weight");
  node.bias = Small(object, "bias");
  node.mean = Small(object, "mean");
  node.variance = Small(object, "variance");
  node.epsilon = Float(object, "epsilon");
  node.momentum = Float(object, "momentum");
  node.low = Float(object, "low");
  node.high = Float(object, "high");
  node.count_padding = Bool(object, "countPadding");
  return node;
}

}  // namespace

Graph ReadGraph(const Napi::Object& object) {
  Graph graph;
  graph.channels = Small(object, "channels");
  graph.height = Small(object, "height");
  graph.width = Small(object, "width");
  for (const int size : Ints(object, "parameters")) graph.parameters.push_back(static_cast<size_t>(size));
  const auto nodes = object.Get("nodes").As<Napi::Array>();
  for (uint32_t i = 0; i < nodes.Length(); ++i) graph.nodes.push_back(ReadNode(nodes.Get(i).As<Napi::Object>()));
  const auto outputs = object.Get("outputs").As<Napi::Array>();
  for (uint32_t i = 0; i < outputs.Length(); ++i) {
    const auto output = outputs.Get(i).As<Napi::Object>();
    graph.outputs.push_back({Ints(output, "parts"), Small(output, "width")});
  }
  const auto features = object.Get("features").As<Napi::Array>();
  for (uint32_t i = 0; i < features.Length(); ++i) {
    const auto feature = features.Get(i).As<Napi::Object>();
    graph.features.push_back({Small(feature, "value"), Ints(feature, "channels")});
  }
  return graph;
}

}  // namespace ssd_prune
