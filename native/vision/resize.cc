#include "vision/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ssd_prune {
namespace {

/// Weighted sums along one axis: output i is the sum of weights[i * width + k] times input first[i] + k, k < count[i].
template <typename Weight>
struct Taps {
  size_t width = 0;
  std::vector<size_t> first;
  std::vector<size_t> count;
  std::vector<Weight> weights;
};

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

constexpr int kFractionBits = 22;

/// Weights of the widening kernel, normalised over what lies inside the picture, in fixed point.
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

/// Weights of the kernel at its own width; those beyond an edge are added to the edge's pixel. All outputs have equally
/// many taps: the kernel's width, or all of the picture where it is smaller.
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

uint8_t FromFixed(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

/// Which plane of the output colour `c` of RGB goes to, and the line that normalises it: value * scale + shift.
struct Plane {
  float* out;
  float scale;
  float shift;
};

Plane PlaneOf(const InputFormat& format, float* out, size_t colour) {
  const size_t plane = format.bgr ? 2 - colour : colour;
  return {out + plane * format.width * format.height, 1.0F / format.std[plane],
          -format.mean[plane] / format.std[plane]};
}

void ResizeWidening(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out) {
  const Taps<int32_t> across = WideningTaps(width, format.width, format.kernel);
  const Taps<int32_t> down = WideningTaps(height, format.height, format.kernel);
  constexpr int32_t kHalf = 1 << (kFractionBits - 1);
  // Colours lie in planes from here on, so that the second pass runs along whole rows.
  const size_t pitch = 3 * format.width;
  std::vector<uint8_t> rows(pitch * height);
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* line = rgb + y * width * 3;
    uint8_t* row = rows.data() + y * pitch;
    for (size_t x = 0; x < format.width; ++x) {
      const int32_t* weights = across.weights.data() + x * across.width;
      const uint8_t* pixel = line + across.first[x] * 3;
      int32_t r = kHalf;
      int32_t g = kHalf;
      int32_t b = kHalf;
      for (size_t k = 0; k < across.count[x]; ++k, pixel += 3) {
        r += weights[k] * pixel[0];
        g += weights[k] * pixel[1];
        b += weights[k] * pixel[2];
      }
      row[x] = FromFixed(r);
      row[format.width + x] = FromFixed(g);
      row[2 * format.width + x] = FromFixed(b);
    }
  }
  std::vector<int32_t> sums(pitch);
  for (size_t y = 0; y < format.height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (size_t k = 0; k < down.count[y]; ++k) {
      const int32_t weight = down.weights[y * down.width + k];
      const uint8_t* row = rows.data() + (down.first[y] + k) * pitch;
      for (size_t x = 0; x < pitch; ++x) sums[x] += weight * row[x];
    }
    for (size_t colour = 0; colour < 3; ++colour) {
      const Plane plane = PlaneOf(format, out, colour);
      const int32_t* line = sums.data() + colour * format.width;
      float* target = plane.out + y * format.width;
      for (size_t x = 0; x < format.width; ++x) target[x] = FromFixed(line[x]) * plane.scale + plane.shift;
    }
  }
}

/// The second pass of ResizePlain over one row of interleaved colours; kTaps 0: as many as `taps` says.
template <size_t kTaps>
void MixAcross(const float* row, const Taps<float>& taps, size_t count, const Plane planes[3], size_t offset) {
  const size_t width = kTaps > 0 ? kTaps : taps.width;
  for (size_t x = 0; x < count; ++x) {
    const float* weights = taps.weights.data() + x * width;
    const float* pixel = row + taps.first[x] * 3;
    float r = 0.0F;
    float g = 0.0F;
    float b = 0.0F;
    for (size_t k = 0; k < width; ++k, pixel += 3) {
      r += weights[k] * pixel[0];
      g += weights[k] * pixel[1];
      b += weights[k] * pixel[2];
    }
    planes[0].out[offset + x] = r * planes[0].scale + planes[0].shift;
    planes[1].out[offset + x] = g * planes[1].scale + planes[1].shift;
    planes[2].out[offset + x] = b * planes[2].scale + planes[2].shift;
  }
}

void ResizePlain(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out) {
  const Taps<float> across = PlainTaps(width, format.width, format.kernel);
  const Taps<float> down = PlainTaps(height, format.height, format.kernel);
  const Plane planes[] = {PlaneOf(format, out, 0), PlaneOf(format, out, 1), PlaneOf(format, out, 2)};
  const auto mix = across.width == 2 ? MixAcross<2> : across.width == 4 ? MixAcross<4> : MixAcross<0>;
  // Rows are mixed first, as they lie: that runs along whole lines, and only rows that are needed are touched.
  const size_t pitch = 3 * width;
  std::vector<float> row(pitch);
  for (size_t y = 0; y < format.height; ++y) {
    const float* weights = down.weights.data() + y * down.width;
    const uint8_t* line = rgb + down.first[y] * pitch;
    for (size_t x = 0; x < pitch; ++x) row[x] = weights[0] * line[x];
    for (size_t k = 1; k < down.width; ++k) {
      line += pitch;
      for (size_t x = 0; x < pitch; ++x) row[x] += weights[k] * line[x];
    }
    mix(row.data(), across, format.width, planes, y * format.width);
  }
}

void ResizeNearest(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out) {
  const auto source = [](size_t i, size_t in, size_t count) {
    return std::min((2 * i + 1) * in / (2 * count), in - 1);
  };
  for (size_t colour = 0; colour < 3; ++colour) {
    const Plane plane = PlaneOf(format, out, colour);
    for (size_t y = 0; y < format.height; ++y) {
      const uint8_t* line = rgb + source(y, height, format.height) * width * 3 + colour;
      float* target = plane.out + y * format.width;
      for (size_t x = 0; x < format.width; ++x) {
        target[x] = line[source(x, width, format.width) * 3] * plane.scale + plane.shift;
      }
    }
  }
}

}  // namespace

void ResizeInto(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out) {
  if (format.kernel == ResizeKernel::kNearest) {
    ResizeNearest(rgb, width, height, format, out);
  } else if (format.antialias || format.kernel == ResizeKernel::kArea) {
    ResizeWidening(rgb, width, height, format, out);
  } else {
    ResizePlain(rgb, width, height, format, out);
  }
}

}  // namespace ssd_prune
