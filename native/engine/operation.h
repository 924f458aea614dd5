// An operation of the plan, forwards and backwards.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/step.h"
#include "engine/tensor.h"

namespace ssd_prune {

class Operation {
 public:
  virtual ~Operation() = default;

  /// Computes `output` from what `inputs` show, and ends it (Tensor::EndForward).
  virtual void Forward(const Step& step) = 0;
  /// Adds to the gradients of `inputs`, as the roles say, and puts those of its own parameters.
  virtual void Backward(const Step& step) = 0;

  /// Floats that it needs: scratch of a worker, packed weights, slices' weight gradients.
  virtual size_t ScratchFloats(const Kernels& kernels) const = 0;
  virtual size_t PackedFloats(const Kernels&) const { return 0; }
  virtual size_t PartialFloats() const { return 0; }
  /// Whether its inputs and output may be stored as bfloat16.
  virtual bool TakesHalf() const { return true; }
  /// Multiply-adds of the forward pass, padding not counted.
  virtual double Macs() const { return 0; }

  std::vector<Tensor*> inputs;
  std::vector<GradientRole> roles;  // one an input
  Tensor* output = nullptr;
  /// Number of the node in the graph; −1 for what the plan added.
  int node = -1;
};

}  // namespace ssd_prune
