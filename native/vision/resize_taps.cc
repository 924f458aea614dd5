#include "vision/resize_taps.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ssd_prune {
namespace {

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  const double t = x * std::numbers::pi;
  return std::sin(t) / t;
}

double Support(ResizeKernel kernel) {
  switch (kernel) {
    case ResizeKernel::kBicubic:
      return 2.0;
    case ResizeKernel::kLanczos3:
      return 3.0;
    case ResizeKernel::kArea:
      return 0.5;
    default:
      return 1.0;
  }
}

/// The kernel at `x`; `a` is the free parameter of the cubic.
double KernelAt(ResizeKernel kernel, double x, double a) {
  const double signed_x = x;
  x = std::abs(x);
  switch (kernel) {
    case ResizeKernel::kBicubic:
      if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
      if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
      return 0.0;
    case ResizeKernel::kLanczos3:
      return x < 3.0 ? Sinc(x) * Sinc(x / 3.0) : 0.0;
    case ResizeKernel::kArea:
      return signed_x > -0.5 && signed_x <= 0.5 ? 1.0 : 0.0;
    default:
      return x < 1.0 ? 1.0 - x : 0.0;
  }
}

}  // namespace

Taps<int32_t> WideningTaps(size_t in, size_t out, ResizeKernel kernel) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widening = std::max(scale, 1.0);
  const double support = Support(kernel) * widening;
  Taps<int32_t> taps;
  taps.width = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  taps.first.resize(out);
  taps.count.resize(out);
  taps.weights.assign(out * taps.width, 0);
  std::vector<double> row(taps.width);
  for (size_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const double low = std::trunc(centre - support + 0.5);
    const double high = std::trunc(centre + support + 0.5);
    const size_t first = low < 0.0 ? 0 : static_cast<size_t>(low);
    const size_t count = std::min(static_cast<size_t>(high), in) - first;
    double sum = 0.0;
    for (size_t k = 0; k < count; ++k) {
      row[k] = KernelAt(kernel, (static_cast<double>(first + k) - centre + 0.5) * (1.0 / widening), -0.5);
      sum += row[k];
    }
    for (size_t k = 0; k < count; ++k) {
      const double weight = (sum != 0.0 ? row[k] / sum : row[k]) * (1 << kFractionBits);
      taps.weights[i * taps.width + k] = static_cast<int32_t>(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    taps.first[i] = first;
    taps.count[i] = count;
  }
  return taps;
}

std::vector<int32_t> ClipTaps(Taps<int32_t>& taps, size_t begin, size_t size) {
  std::vector<int32_t> outside(taps.first.size());
  for (size_t i = 0; i < taps.first.size(); ++i) {
    int32_t* row = taps.weights.data() + i * taps.width;
    const size_t first = taps.first[i];
    const size_t count = taps.count[i];
    const size_t low = std::clamp(begin, first, first + count);
    const size_t high = std::clamp(begin + size, low, first + count);
    for (size_t k = 0; k < count; ++k) {
      if (k < low - first || k >= high - first) outside[i] += row[k];
    }
    std::copy(row + (low - first), row + (high - first), row);
    taps.count[i] = high - low;
    taps.first[i] = high == low ? 0 : low - begin;
  }
  return outside;
}

Taps<float> PlainTaps(size_t in, size_t out, ResizeKernel kernel) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const auto reach = static_cast<int64_t>(Support(kernel));
  const auto last = static_cast<int64_t>(in) - 1;
  Taps<float> taps;
  taps.width = std::min(static_cast<size_t>(2 * reach), in);
  taps.first.resize(out);
  taps.count.assign(out, taps.width);
  taps.weights.resize(out * taps.width);
  std::vector<double> row(taps.width);
  for (size_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
    const auto left = static_cast<int64_t>(std::floor(centre)) - reach + 1;
    const int64_t first = std::clamp<int64_t>(left, 0, static_cast<int64_t>(in - taps.width));
    double sum = 0.0;
    std::fill(row.begin(), row.end(), 0.0);
    for (int64_t k = 0; k < 2 * reach; ++k) {
      const double weight = KernelAt(kernel, static_cast<double>(left + k) - centre, -0.75);
      row[static_cast<size_t>(std::clamp<int64_t>(left + k, 0, last) - first)] += weight;
      sum += weight;
    }
    taps.first[i] = static_cast<size_t>(first);
    for (size_t k = 0; k < taps.width; ++k) taps.weights[i * taps.width + k] = static_cast<float>(row[k] / sum);
  }
  return taps;
}

}  // namespace ssd_prune
