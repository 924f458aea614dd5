// Pooling over a sliding window. Backwards the largest number is looked for again (the first one, as everywhere):
// keeping where it was would cost more memory than looking costs time.
#pragma once

#include "engine/graph.h"
#include "engine/operation.h"

namespace ssd_prune {

class Pool : public Operation {
 public:
  Pool(const Window& window, bool average, bool count_padding, Tensor* in, Tensor* out);

  void Forward(const Step& step) override;
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;
  bool TakesHalf() const override { return false; }

 private:
  const Tensor& in() const { return *inputs[0]; }
  /// Calls body(row of the input) for every place of the window at an output place that lies in the picture.
  template <typename Body>
  void ForWindow(size_t image, size_t y, size_t x, const Body& body) const;
  /// What an average divides by.
  size_t Divisor(size_t y, size_t x, size_t inside) const;

  Window window_;
  bool average_;
  bool count_padding_;
};

}  // namespace ssd_prune
