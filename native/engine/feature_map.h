// A map inside the network, looked at from outside: what its readers see of some channels is handed out, or held
// against what it should be, which gives a loss and adds to the map's gradient.
#pragma once

#include <array>
#include <vector>

#include "engine/operation.h"

namespace ssd_prune {

class FeatureMap : public Operation {
 public:
  FeatureMap(Tensor* in, std::vector<size_t> channels);

  /// Numbers of a pass: a row of channels for each place of each picture.
  size_t floats() const { return inputs[0]->rows() * channels_.size(); }
  /// The next pass writes what is seen to `to`.
  void Take(float* to);
  /// The next pass compares what is seen with `wanted`; backwards it adds the gradient of weight·Σ(seen − wanted)².
  void Compare(const float* wanted, double weight);
  /// After a forward pass: the squares of what was taken, or of the differences, summed; 0 where neither was asked for.
  double squares() const { return squares_; }

  void Forward(const Step& step) override;
  /// Adds nothing to the gradient where the forward pass compared nothing.
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;

 private:
  /// The channels that are looked at of a row: where they stand, or put into `picked`.
  const float* Pick(const float* row, float* picked) const;
  /// Row by row what is seen, into `rows` of inputs[0]->pitch numbers.
  void Read(const Step& step, size_t row, size_t count, float* rows) const;

  std::vector<size_t> channels_;
  /// Whether one follows the other, as those of a cut network do: they are read where they stand.
  bool consecutive_ = true;
  float* taken_ = nullptr;
  const float* wanted_ = nullptr;
  double weight_ = 0;
  double squares_ = 0;
  std::array<double, kMaxSlices> slice_squares_{};
};

}  // namespace ssd_prune
