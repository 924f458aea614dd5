// A stored tensor, how its readers see it, and what is due when its numbers or its gradient are complete.
//
// Stored: what the operation computed, plus its bias; clipped where no normalisation stands between. Seen by readers:
// clip(stored·scale + shift) with a normalisation, else what is stored. `gradient` holds the derivative of the loss by
// stored·scale + shift (inside the clip); the operation reads the derivative by what it computed through
// GradientSource, which undoes the normalisation on the way.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>

#include "engine/buffer.h"
#include "engine/step.h"
#include "kernels/kernels.h"

namespace ssd_prune {

/// Batch normalisation of a tensor. Vectors have the tensor's pitch, padding zero.
struct Normalization {
  int scale = -1;  // parameters
  int shift = -1;
  int mean = -1;
  int variance = -1;
  float epsilon = 0;
  float momentum = 0;

  Buffer vectors;
  size_t pitch = 0;
  /// 0: what stored numbers are multiplied by; 1: and what is added; 2: mean of the batch (or the running one where
  /// statistics are frozen); 3: reciprocal deviation. 4, 5, 6: factors of gradient and of stored numbers, and the
  /// summand, of the derivative by stored numbers.
  float* vector(int i) const { return vectors.data() + static_cast<size_t>(i) * pitch; }
};

/// Tensors that take more floats, 4 MB, are written past the caches: writing through them reads memory first, and what
/// a second-level cache holds is then gone.
inline constexpr size_t kStreamFloats = size_t{1} << 20;

struct Tensor {
  size_t batch = 0;
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t pitch = 0;
  /// Data and gradient are stored as bfloat16, two numbers in a float.
  bool half = false;
  float* data = nullptr;
  float* gradient = nullptr;
  std::optional<Normalization> normalization;
  bool clip = false;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  int bias = -1;  // parameter
  Buffer bias_vector;

  size_t rows() const { return batch * height * width; }
  /// Floats from row to row of data and gradient.
  size_t stride() const { return half ? pitch / 2 : pitch; }

  /// As readers see it.
  Source View() const;
  /// The derivative by what the operation computed.
  Source GradientSource() const;

  /// Before an operation computes it: bias and, where the statistics are those of the running average, the scale.
  void BeginForward(const Step& step);
  /// What a slice does with fresh numbers; clears its sums.
  ForwardFinish Finish(const Step& step, size_t slice) const;
  /// When all slices are done: statistics, and with them scale and shift.
  void EndForward(const Step& step, size_t slices);

  /// What a slice does with a fresh gradient, `finish` by the last of the readers. `row` is the first row of the
  /// gradient that it writes. Clears its sums.
  BackwardFinish FinishGradient(const Step& step, size_t slice, bool add, bool finish) const;
  /// When all slices of the last reader are done: gradients of scale, shift and bias.
  void EndBackward(const Step& step, size_t slices);

 private:
  /// Too big to be in a cache when the next operation reads it.
  bool Streams() const { return rows() * stride() > kStreamFloats; }
  bool HasGradientSums() const { return normalization.has_value() || bias >= 0; }
};

/// How an operation adds to the gradient of what it reads.
struct GradientRole {
  /// Nobody trains anything behind it.
  bool wanted = true;
  /// Another reader wrote before.
  bool add = false;
  /// No other reader comes after.
  bool finish = true;
};

}  // namespace ssd_prune
