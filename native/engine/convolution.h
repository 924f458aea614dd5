// Convolutions as matrix products on blocks of rows, without a stored im2col matrix: a block of kBlockRows places is
// gathered into a packed block (normalised and clipped on the way), multiplied while it is in the cache, finished, and
// written. x[rows][K] · w[K][outputs] forwards, dy · wᵀ backwards; K runs over (height, width, input) of the kernel.
// Groups other than one are products with a block-diagonal weight: right, not fast.
#pragma once

#include <vector>

#include "engine/graph.h"
#include "engine/operation.h"
#include "engine/panels.h"

namespace ssd_prune {

/// Rows of a block: eight tiles of AVX-512; with 256 columns 122 kB, which leaves room in a second-level cache of 1 MB.
inline constexpr size_t kBlockRows = 112;

/// Spread of result rows in scratch: beside the pitch, so that powers of two don't meet in one set of the cache.
inline constexpr size_t kSpread = 16;

class Convolution : public Operation {
 public:
  Convolution(const Window& window, int groups, int weight, Tensor* in, Tensor* out);

  void Forward(const Step& step) override;
  void Backward(const Step& step) override;
  size_t ScratchFloats(const Kernels& kernels) const override;
  size_t PackedFloats(const Kernels& kernels) const override;
  size_t PartialFloats() const override;
  double Macs() const override;

 private:
  /// Input places that are hit by the same taps: those whose padded position leaves this remainder by the stride.
  struct PlaceClass {
    size_t first_y, first_x;  // first such place
    size_t count_y, count_x;
    std::vector<size_t> taps;
  };
  struct Place {
    size_t image, y, x;
  };
  /// From a place to the next of a map, row by row.
  static void Advance(size_t& x, size_t& y, size_t& image, size_t width, size_t height);

  const Tensor& in() const { return *inputs[0]; }
  size_t Taps() const { return kernel_h_ * kernel_w_; }
  /// Length of the reduction forwards.
  size_t Depth() const { return Taps() * in().channels; }
  Place OutputPlace(size_t row) const;
  /// The row of the input that a tap sees at a place of the output, −1 in the padding.
  ptrdiff_t InputRow(const Place& place, size_t tap) const;
  /// The row of the output that sees a place of the input through a tap, −1 if none does.
  ptrdiff_t OutputRow(const Place& place, size_t tap) const;
  float WeightAt(const float* weight, size_t out, size_t tap, size_t in) const;

  Panels BackwardPanels(const PlaceClass& places, const Kernels& kernels) const;
  template <typename Body>
  static void PackPanels(const Step& step, const Panels& panels, float* packed, const Body& body);
  void PackForward(const Step& step);
  void PackBackward(const Step& step);
  /// Columns [from, from + count) of rows [row, row + rows) of the gathered input.
  void Gather(const Step& step, const Source& view, size_t row, size_t rows, size_t from, size_t count,
              float* block) const;
  /// Places from this one on in its line whose windows lie inside the picture's width; and their gathered input, of a
  /// dense picture: a window's kernel row is one run of numbers.
  size_t InnerPlaces(const Place& place) const;
  void GatherInner(const Step& step, const Source& view, const Place& place, size_t places, float* out) const;
  void GatherDense(const Source& view, const Place& place, size_t from, size_t count, float* row) const;
  void GatherGradient(const Step& step, const Source& source, const PlaceClass& places, size_t row, size_t rows,
                      size_t from, size_t count, float* block) const;

  /// Both gradients block by block, where the weight is small: what is read for one is in the cache for the other.
  void BackwardTogether(const Step& step);
  void TogetherSlice(const Step& step, size_t begin, size_t end, const BackwardFinish& finish, float* partial,
                     float* scratch) const;
  bool Together() const;
  void BackwardData(const Step& step);
  void DataSlice(const Step& step, const PlaceClass& places, const float* packed, size_t begin, size_t end,
                 const BackwardFinish& finish, float* scratch) const;
  void BackwardWeights(const Step& step);
  void WeightsSlice(const Step& step, size_t begin, size_t end, size_t out_begin, size_t out_end, float* partial,
                    float* scratch) const;
  void SumWeights(const Step& step, size_t slices) const;
  /// Slices of rows for weight gradients; 1 where output channels are shared out instead.
  size_t WeightSlices() const;

  size_t kernel_h_, kernel_w_, stride_h_, stride_w_, dilation_h_, dilation_w_;
  ptrdiff_t pad_h_, pad_w_;
  size_t groups_;
  int weight_;
  bool pointwise_;  // rows of input and output are the same
  std::vector<PlaceClass> classes_;
};

}  // namespace ssd_prune
