// Depthwise convolution, one filter a channel, line by line: lines of the input, normalised and clipped as they are
// read, wait in a ring that stays in the cache. Backwards one sweep makes both gradients, with a ring of the input and
// one of the output's gradient.
#pragma once

#include <vector>

#include "engine/graph.h"
#include "engine/line_ring.h"
#include "engine/operation.h"

namespace ssd_prune {

class Depthwise : public Operation {
 public:
  /// Taps of the largest kernel: they stand on the stack.
  static constexpr size_t kMaxTaps = 256;

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
    std::vector<size_t> cuts;
  };
  /// Where a row of `count` places is cut so that each tap, `offsets` places off and `step` places on from place to
  /// place, lies inside the `width` of a line, or outside, for all of a part: 0, …, count.
  static std::vector<size_t> Cuts(const std::vector<ptrdiff_t>& offsets, size_t step, size_t width, size_t count);

  const Tensor& in() const { return *inputs[0]; }
  size_t Taps() const { return kernel_h_ * kernel_w_; }
  size_t Slices() const;
  /// Column of the output's gradient that a tap sees at the first column of a class.
  ptrdiff_t GradientColumn(const ColumnClass& column, size_t kx) const;
  /// What a tap sees for place `x` of the output line whose window begins at input line `top`.
  const float* Seen(const LineRing& ring, size_t image, ptrdiff_t top, size_t x, size_t tap) const;
  /// Lines of the output's gradient before and after line y that input lines y·stride … (y + 1)·stride − 1 need.
  size_t LinesBefore() const;
  size_t LinesAfter() const;
  LineRing::Shape InputRing() const;
  LineRing::Shape GradientRing() const;
  /// Filters as [tap][pitch].
  void Pack(const Step& step) const;
  /// Both gradients of output lines [begin, end); `finish` is null where the input's is not wanted.
  void BackwardSlice(const Step& step, size_t begin, size_t end, const BackwardFinish* finish, float* partial,
                     float* scratch) const;
  /// The gradient of an input line from the lines of the output's gradient in `ring`.
  void DataLine(const Step& step, const LineRing& ring, size_t image, size_t y, float* result, Ahead* ahead) const;
  void SumWeights(const Step& step, size_t slices) const;

  size_t kernel_h_, kernel_w_, stride_h_, stride_w_, dilation_h_, dilation_w_;
  ptrdiff_t pad_h_, pad_w_;
  int weight_;
  std::vector<ColumnClass> columns_;
  std::vector<size_t> cuts_;  // of an output line
};

}  // namespace ssd_prune
