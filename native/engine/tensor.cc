#include "engine/tensor.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {
namespace {

/// Sum over slices of one of the two sums of a channel, in slice order.
double Total(const Step& step, size_t slices, size_t which, size_t channel) {
  double total = 0;
  for (size_t slice = 0; slice < slices; ++slice) total += step.Sums(slice)[which * step.sums_pitch + channel];
  return total;
}

struct Moments {
  double mean;
  double variance;
};

/// Mean and variance of a channel from the slices' sums, slice by slice (Chan, Golub and LeVeque).
Moments Statistics(const Step& step, size_t slices, size_t channel) {
  double count = 0;
  double mean = 0;
  double squares = 0;  // of differences from the mean
  for (size_t slice = 0; slice < slices; ++slice) {
    const double rows = static_cast<double>(step.slice_rows[slice]);
    if (rows == 0) continue;
    const double first = step.Sums(slice)[channel];
    const double difference = step.pivots[slice * step.sums_pitch + channel] + first / rows - mean;
    const double all = count + rows;
    squares += step.Sums(slice)[step.sums_pitch + channel] - first * first / rows;
    squares += difference * difference * count * rows / all;
    mean += difference * rows / all;
    count = all;
  }
  return {mean, std::max(squares / count, 0.0)};
}

void Put(const Step& step, int parameter, size_t channel, double gradient) {
  float& out = step.Gradient(parameter)[channel];
  out = static_cast<float>(step.Adds(parameter) ? out + gradient : gradient);
}

/// Calls body(channel) for every channel, of wide tensors on all threads: joining the slices' sums takes its time.
template <typename Body>
void ForChannels(const Step& step, size_t channels, const Body& body) {
  constexpr size_t kPart = 64;
  const size_t parts = (channels + kPart - 1) / kPart;
  const auto part = [&](size_t i) {
    for (size_t c = i * kPart; c < std::min((i + 1) * kPart, channels); ++c) body(c);
  };
  if (parts > 2) return step.team.For(parts, [&](size_t i, float*) { part(i); });
  for (size_t i = 0; i < parts; ++i) part(i);
}

}  // namespace

Source Tensor::View() const {
  Source source{.x = data, .pitch = stride(), .low = low, .high = high};
  source.half = half;
  if (normalization) {
    source.scale = normalization->vector(0);
    source.shift = normalization->vector(1);
  }
  return source;
}

Source Tensor::GradientSource() const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Source source{.x = gradient, .pitch = stride(), .low = -kInfinity, .high = kInfinity};
  source.half = half;
  if (normalization) {
    source.scale = normalization->vector(4);
    source.second = data;
    source.second_scale = normalization->vector(5);
    source.shift = normalization->vector(6);
  }
  return source;
}

void Tensor::BeginForward(const Step& step) {
  if (bias >= 0) std::copy_n(step.Weight(bias), channels, bias_vector.data());
  if (!normalization || step.batch_statistics) return;
  Normalization& n = *normalization;
  const float* running_mean = step.Weight(n.mean);
  for (size_t c = 0; c < channels; ++c) {
    n.vector(2)[c] = running_mean[c];
    n.vector(3)[c] = 1 / std::sqrt(step.Weight(n.variance)[c] + n.epsilon);
    n.vector(0)[c] = step.Weight(n.scale)[c] * n.vector(3)[c];
    n.vector(1)[c] = step.Weight(n.shift)[c] - running_mean[c] * n.vector(0)[c];
  }
}

ForwardFinish Tensor::Finish(const Step& step, size_t slice) const {
  ForwardFinish finish{.low = low, .high = high};
  finish.stream = Streams();
  finish.half = half;
  if (bias >= 0) finish.bias = bias_vector.data();
  finish.clip = clip && !normalization;
  if (normalization && step.batch_statistics) {
    finish.pivot = step.pivots + slice * step.sums_pitch;
    finish.rows = step.slice_rows + slice;
    *finish.rows = 0;
    finish.sums = step.Sums(slice);
    finish.sums_pitch = step.sums_pitch;
    std::fill_n(finish.sums, 2 * step.sums_pitch, 0.0);
  }
  return finish;
}

void Tensor::EndForward(const Step& step, size_t slices) {
  if (!normalization || !step.batch_statistics) return;
  Normalization& n = *normalization;
  ForChannels(step, channels, [&](size_t c) {
    const auto [mean, variance] = Statistics(step, slices, c);
    const double deviation = 1 / std::sqrt(variance + n.epsilon);
    const double scale = step.Weight(n.scale)[c] * deviation;
    n.vector(0)[c] = static_cast<float>(scale);
    n.vector(1)[c] = static_cast<float>(step.Weight(n.shift)[c] - mean * scale);
    n.vector(2)[c] = static_cast<float>(mean);
    n.vector(3)[c] = static_cast<float>(deviation);
    float& running_mean = step.Weight(n.mean)[c];
    float& running_variance = step.Weight(n.variance)[c];
    running_mean = static_cast<float>(running_mean + (1.0 - n.momentum) * (mean - running_mean));
    running_variance = static_cast<float>(running_variance + (1.0 - n.momentum) * (variance - running_variance));
  });
}

BackwardFinish Tensor::FinishGradient(const Step& step, size_t slice, bool add, bool finish) const {
  BackwardFinish due{.add = add, .low = low, .high = high};
  due.stream = Streams() && !add;
  due.half = half;
  if (!finish) return due;
  if (normalization) {
    due.scale = normalization->vector(0);
    due.shift = normalization->vector(1);
    due.pivot = normalization->vector(2);
  }
  if (normalization || clip) due.x = data;
  if (HasGradientSums()) {
    due.sums = step.Sums(slice);
    due.sums_pitch = step.sums_pitch;
    std::fill_n(due.sums, 2 * step.sums_pitch, 0.0);
  }
  return due;
}

void Tensor::EndBackward(const Step& step, size_t slices) {
  if (!HasGradientSums()) return;
  const double count = static_cast<double>(rows());
  ForChannels(step, channels, [&](size_t c) {
    const double sum = Total(step, slices, 0, c);
    if (!normalization) return Put(step, bias, c, sum);
    Normalization& n = *normalization;
    const double centred = Total(step, slices, 1, c);
    const double deviation = n.vector(3)[c];
    const double scale = step.Weight(n.scale)[c] * deviation;
    Put(step, n.scale, c, centred * deviation);
    Put(step, n.shift, c, sum);
    // A bias before the batch's own mean is taken away again: its gradient is 0.
    if (bias >= 0) Put(step, bias, c, step.batch_statistics ? 0.0 : sum * scale);
    const double second = step.batch_statistics ? -scale * deviation * deviation * centred / count : 0.0;
    n.vector(4)[c] = static_cast<float>(scale);
    n.vector(5)[c] = static_cast<float>(second);
    n.vector(6)[c] = static_cast<float>(step.batch_statistics ? -scale * sum / count - second * n.vector(2)[c] : 0.0);
  });
}

}  // namespace ssd_prune
