// The way out: numbers of the heads as rows of boxes for the loss, and the loss's derivatives back.
#pragma once

#include "engine/operation.h"

namespace ssd_prune {

/// One part of an output: every place's channels, row by row, at its share of each picture's row of boxes.
class Head : public Operation {
 public:
  /// `first`: floats before this part in a picture's row, `picture`: floats of the whole row.
  Head(Tensor* in, size_t first, size_t picture);

  /// Rows of boxes and their derivatives, [batch][picture].
  float* values = nullptr;
  const float* derivatives = nullptr;

  void Forward(const Step& step) override;
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;
  bool TakesHalf() const override { return false; }

 private:
  size_t first_;
  size_t picture_;
};

}  // namespace ssd_prune
