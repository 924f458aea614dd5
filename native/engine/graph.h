// What is to be trained, as plain numbers: the contract between lib/train/plan.ts, which reads ONNX, and the engine,
// which doesn't know it. Shapes, groups and parameters are checked by the caller; Engine's constructor checks what it
// would crash on.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <vector>

namespace ssd_prune {

enum class NodeKind {
  kConvolution = 0,
  kNormalization = 1,  // batch normalisation over the channels
  kClip = 2,           // Relu too: 0 to infinity
  kScale = 3,          // times a constant, plus a constant, one a channel; not trained
  kAdd = 4,            // of two values of the same shape
  kConcat = 5,         // of channels
  kMaxPool = 6,
  kAveragePool = 7,
};

/// A window that slides over height and width. Padding counts at the beginning; the end follows from the output's size.
struct Window {
  std::array<int, 2> kernel{1, 1};
  std::array<int, 2> stride{1, 1};
  std::array<int, 2> dilation{1, 1};
  std::array<int, 2> pad{0, 0};
  /// Padding at the end; it counts only for averages that include padding.
  std::array<int, 2> pad_end{0, 0};
};

/// Parameters are numbers of Graph::parameters; −1 is none.
struct Node {
  NodeKind kind{};
  /// Values: 0 is the picture, i + 1 what node i puts out. Only earlier nodes.
  std::vector<int> inputs;
  /// Shape of what it puts out.
  int channels = 0;
  int height = 0;
  int width = 0;
  Window window;
  int groups = 1;
  /// Convolution: weight as ONNX lays it out [outputs][inputs / groups][height][width], bias. Normalisation: scale and
  /// shift. Scale: factor and summand (−1: 1 and 0).
  int weight = -1;
  int bias = -1;
  /// Normalisation: running mean and variance.
  int mean = -1;
  int variance = -1;
  float epsilon = 1e-5f;
  /// Share of the old running statistics that stays after a step.
  float momentum = 0.9f;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  /// AveragePool: divide by the whole window, padding included.
  bool count_padding = false;
};

/// A row of boxes for every picture: the places of each part row by row, its channels cut into boxes of `width`
/// numbers; parts one after the other. That is what Transpose, Reshape and Concat at a detector's heads make.
struct Output {
  std::vector<int> parts;  // values
  int width = 1;
};

/// Channels of a value that are looked at from outside, as its readers see them; see FeatureMap.
struct Feature {
  int value = 0;  // not the picture
  std::vector<int> channels;
};

struct Graph {
  int channels = 0;
  int height = 0;
  int width = 0;
  /// Numbers of each parameter.
  std::vector<size_t> parameters;
  std::vector<Node> nodes;
  std::vector<Output> outputs;
  std::vector<Feature> features;
};

}  // namespace ssd_prune
