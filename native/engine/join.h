// Operations without weights that work row by row: sums, concatenations, and copies.
#pragma once

#include "engine/operation.h"

namespace ssd_prune {

/// What the row-by-row operations share: blocks of rows, read as readers see them, given to the sub-class.
class RowOperation : public Operation {
 public:
  void Forward(const Step& step) override;
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;

 protected:
  /// Puts `rows` rows of input `input`, `x` (pitch of the input), into the block of the output, `y` (its pitch).
  virtual void Put(const Step& step, size_t input, const float* x, size_t rows, float* y) const = 0;
  /// The derivative by the input's rows, `dx`, from that of the output, `dy`.
  virtual void Take(const Step& step, size_t input, const float* dy, size_t rows, float* dx) const = 0;
};

/// Sum of tensors of one shape.
class Add : public RowOperation {
 protected:
  void Put(const Step& step, size_t input, const float* x, size_t rows, float* y) const override;
  void Take(const Step& step, size_t input, const float* dy, size_t rows, float* dx) const override;
};

/// Channels side by side.
class Concat : public RowOperation {
 protected:
  void Put(const Step& step, size_t input, const float* x, size_t rows, float* y) const override;
  void Take(const Step& step, size_t input, const float* dy, size_t rows, float* dx) const override;

 private:
  size_t FirstChannel(size_t input) const;
};

/// A tensor times constants plus constants, one a channel: the graph's own, or, without them, a copy that the plan
/// needs where one tensor is seen in two ways.
class Scale : public RowOperation {
 public:
  /// A parameter, −1 for none, and from channel to channel: 0 where one number serves all.
  struct Constant {
    int parameter = -1;
    size_t step = 0;
    float At(const Step& shared, size_t channel, float otherwise) const {
      return parameter >= 0 ? shared.Weight(parameter)[channel * step] : otherwise;
    }
  };

  Scale(Constant factor, Constant summand) : factor_(factor), summand_(summand) {}

 protected:
  void Put(const Step& step, size_t input, const float* x, size_t rows, float* y) const override;
  void Take(const Step& step, size_t input, const float* dy, size_t rows, float* dx) const override;

 private:
  Constant factor_;
  Constant summand_;
};

}  // namespace ssd_prune
