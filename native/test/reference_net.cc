#include "test/reference_net.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ssd_prune {
namespace {

struct Map {
  int batch, channels, height, width;
  std::vector<double> data;  // NHWC
  Map(int n, int c, int h, int w) : batch(n), channels(c), height(h), width(w) {
    data.resize(static_cast<size_t>(n) * c * h * w);
  }
  double& at(int n, int y, int x, int c) {
    return data[((static_cast<size_t>(n) * height + y) * width + x) * channels + c];
  }
};

/// Calls body(n, y, x, c) for every number of a map.
template <typename Body>
void ForAll(const Map& map, const Body& body) {
  for (int n = 0; n < map.batch; ++n) {
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width; ++x) {
        for (int c = 0; c < map.channels; ++c) body(n, y, x, c);
      }
    }
  }
}

/// Calls body(ky, kx, y, x) for the places of a window inside the picture.
template <typename Body>
void ForWindow(const Window& w, const Map& in, int y, int x, const Body& body) {
  for (int ky = 0; ky < w.kernel[0]; ++ky) {
    for (int kx = 0; kx < w.kernel[1]; ++kx) {
      const int row = y * w.stride[0] + ky * w.dilation[0] - w.pad[0];
      const int column = x * w.stride[1] + kx * w.dilation[1] - w.pad[1];
      if (row >= 0 && column >= 0 && row < in.height && column < in.width) body(ky, kx, row, column);
    }
  }
}

void Convolve(const Node& node, Map& in, const std::vector<std::vector<double>>& parameters, Map& out) {
  const std::vector<double>& weight = parameters[node.weight];
  const int group_inputs = in.channels / node.groups;
  ForAll(out, [&](int n, int y, int x, int c) {
    double sum = node.bias >= 0 ? parameters[node.bias][c] : 0;
    const int first = c / (out.channels / node.groups) * group_inputs;
    ForWindow(node.window, in, y, x, [&](int ky, int kx, int row, int column) {
      for (int i = 0; i < group_inputs; ++i) {
        const int at = ((c * group_inputs + i) * node.window.kernel[0] + ky) * node.window.kernel[1] + kx;
        sum += weight[at] * in.at(n, row, column, first + i);
      }
    });
    out.at(n, y, x, c) = sum;
  });
}

void Normalize(const Node& node, Map& in, std::vector<std::vector<double>>& parameters, bool batch_statistics,
               Map& out) {
  const double count = static_cast<double>(in.data.size()) / in.channels;
  for (int c = 0; c < in.channels; ++c) {
    double mean = parameters[node.mean][c];
    double variance = parameters[node.variance][c];
    if (batch_statistics) {
      double sum = 0;
      double squares = 0;
      for (size_t i = c; i < in.data.size(); i += in.channels) sum += in.data[i];
      mean = sum / count;
      for (size_t i = c; i < in.data.size(); i += in.channels) squares += (in.data[i] - mean) * (in.data[i] - mean);
      variance = squares / count;
      double& running_mean = parameters[node.mean][c];
      double& running_variance = parameters[node.variance][c];
      running_mean = running_mean * node.momentum + mean * (1.0 - node.momentum);
      running_variance = running_variance * node.momentum + variance * (1.0 - node.momentum);
    }
    for (size_t i = c; i < in.data.size(); i += in.channels) {
      out.data[i] = (in.data[i] - mean) / std::sqrt(variance + node.epsilon) * parameters[node.weight][c] +
                    parameters[node.bias][c];
    }
  }
}

void PoolMap(const Node& node, Map& in, Map& out) {
  const bool average = node.kind == NodeKind::kAveragePool;
  ForAll(out, [&](int n, int y, int x, int c) {
    double value = average ? 0 : -std::numeric_limits<double>::infinity();
    int count = 0;
    ForWindow(node.window, in, y, x, [&](int, int, int row, int column) {
      value = average ? value + in.at(n, row, column, c) : std::max(value, in.at(n, row, column, c));
      ++count;
    });
    if (node.count_padding) count = node.window.kernel[0] * node.window.kernel[1];
    out.at(n, y, x, c) = average ? value / count : value;
  });
}

}  // namespace

std::vector<double> ReferenceNet::RunAndUpdate(const std::vector<double>& picture,
                                               std::vector<std::vector<double>>& parameters) const {
  std::vector<Map> values;
  values.emplace_back(static_cast<int>(batch), graph.channels, graph.height, graph.width);
  values[0].data = picture;
  for (const Node& node : graph.nodes) {
    Map in = values[node.inputs[0]];
    Map out(static_cast<int>(batch), node.channels, node.height, node.width);
    switch (node.kind) {
      case NodeKind::kConvolution:
        Convolve(node, in, parameters, out);
        break;
      case NodeKind::kNormalization:
        Normalize(node, in, parameters, batch_statistics, out);
        break;
      case NodeKind::kClip:
        for (size_t i = 0; i < in.data.size(); ++i) {
          out.data[i] = std::clamp(in.data[i], double{node.low}, double{node.high});
        }
        break;
      case NodeKind::kScale:
        ForAll(out, [&](int n, int y, int x, int c) {
          const double factor = node.weight >= 0 ? parameters[node.weight][c] : 1;
          out.at(n, y, x, c) = in.at(n, y, x, c) * factor + (node.bias >= 0 ? parameters[node.bias][c] : 0);
        });
        break;
      case NodeKind::kAdd:
        for (const int input : node.inputs) {
          for (size_t i = 0; i < out.data.size(); ++i) out.data[i] += values[input].data[i];
        }
        break;
      case NodeKind::kConcat: {
        int first = 0;
        for (const int input : node.inputs) {
          Map& part = values[input];
          ForAll(part, [&](int n, int y, int x, int c) { out.at(n, y, x, first + c) = part.at(n, y, x, c); });
          first += part.channels;
        }
        break;
      }
      case NodeKind::kMaxPool:
      case NodeKind::kAveragePool:
        PoolMap(node, in, out);
        break;
    }
    values.push_back(std::move(out));
  }
  std::vector<double> result;
  for (const Output& output : graph.outputs) {
    for (size_t n = 0; n < batch; ++n) {
      for (const int part : output.parts) {
        const Map& map = values[part];
        const size_t floats = map.data.size() / batch;
        const auto begin = map.data.begin() + static_cast<ptrdiff_t>(n * floats);
        result.insert(result.end(), begin, begin + static_cast<ptrdiff_t>(floats));
      }
    }
  }
  return result;
}

std::vector<double> ReferenceNet::Run(const std::vector<double>& picture,
                                      const std::vector<std::vector<double>>& parameters) const {
  auto copy = parameters;
  return RunAndUpdate(picture, copy);
}

}  // namespace ssd_prune
