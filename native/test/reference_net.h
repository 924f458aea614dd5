// A graph computed in double, one number at a time, straight from the definitions: what the engine is measured against.
#pragma once

#include <vector>

#include "engine/graph.h"

namespace ssd_prune {

struct ReferenceNet {
  const Graph& graph;
  size_t batch;
  bool batch_statistics;

  /// Outputs, one after the other, each [batch][boxes][width].
  std::vector<double> Run(const std::vector<double>& picture, const std::vector<std::vector<double>>& parameters) const;
  /// The same, and new running statistics in `parameters`.
  std::vector<double> RunAndUpdate(const std::vector<double>& picture,
                                   std::vector<std::vector<double>>& parameters) const;
};

}  // namespace ssd_prune
