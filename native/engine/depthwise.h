// Depthwise convolution, one filter a channel, line by line: lines of the input, normalised and clipped as they are
// read, wait in a ring that stays in the cache. Backwards the same with lines of the gradient, and then once more over
// the slice for the filters' gradients, while what it reads is still in the third-level cache.
#pragma once

#include <vector>

#include "engine/graph.h"
#include "engine/line_ring.h"
#include "engine/operation.h"

namespace ssd_prune {

class Depthwise : public Operation {
 public:
  Depthwise(const Window& window, int weight, Tensor* in, Tensor* out);

  void Forward(const Step& step) override;
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;
  size_t PackedFloats(const Kernels& kernels) const override;
  size_t PartialFloats() const override;
  double Macs() const override;

 private:
  /// Input columns that are hit by the same taps of a kernel row.
  struct ColumnClass {
    size_t first;
    size_t count;
    std::vector<size_t> taps;
  };

  const Tensor& in() const { return *inputs[0]; }
  size_t Taps() const { return kernel_h_ * kernel_w_; }
  size_t Slices() const;
  LineRing::Shape InputRing() const;
  LineRing::Shape GradientRing() const;
  /// Filters as [tap][pitch].
  void Pack(const Step& step) const;
  void DataSlice(const Step& step, size_t begin, size_t end, const BackwardFinish& finish, float* scratch) const;
  void WeightsSlice(const Step& step, size_t begin, size_t end, float* partial, float* scratch) const;
  void SumWeights(const Step& step, size_t slices) const;

  size_t kernel_h_, kernel_w_, stride_h_, stride_w_, dilation_h_, dilation_w_;
  ptrdiff_t pad_h_, pad_w_;
  int weight_;
  std::vector<ColumnClass> columns_;
};

}  // namespace ssd_prune
