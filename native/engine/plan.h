// From a graph to operations on tensors. Normalisations and clips become ways of seeing the tensor before them; where
// one tensor would have to be seen in two ways, a copy stands between.
#pragma once

#include <memory>
#include <vector>

#include "engine/feature_map.h"
#include "engine/graph.h"
#include "engine/head.h"
#include "engine/operation.h"

namespace ssd_prune {

struct Plan {
  /// The picture is the first, dense: no padded channels.
  std::vector<std::unique_ptr<Tensor>> tensors;
  /// In order of computation; heads last, features right behind what makes their map.
  std::vector<std::unique_ptr<Operation>> operations;
  /// Heads by output of the graph.
  std::vector<std::vector<Head*>> heads;
  /// In the order of the graph.
  std::vector<FeatureMap*> features;
  /// Floats of one picture's row of each output.
  std::vector<size_t> output_floats;
  /// Floats of the arena that tensors and gradients lie in; the tensors' offsets into it.
  size_t arena_floats = 0;
  struct Place {
    size_t data;
    size_t gradient;
  };
  std::vector<Place> places;  // one a tensor; the picture has no gradient, and nobody where nothing is trained
};

/// Throws std::invalid_argument, with the node's number, where shapes or numbers don't fit together. Without `trains`
/// tensors live until their last reader alone, and there is no place for gradients.
Plan MakePlan(const Graph& graph, size_t batch, bool trains, Precision precision);

}  // namespace ssd_prune
