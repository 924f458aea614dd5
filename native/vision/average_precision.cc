#include "vision/average_precision.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ssd_prune {

namespace {

/// Resamples walked together: their running sums fill whole vector registers.
constexpr size_t kBlock = 16;

/// Mean over `points` recalls of the highest precision at that recall or beyond. `reached(i, j)` says whether point i
/// of the curve reaches recall j.
template <typename Reached, typename Precision>
double SampledPrecision(size_t size, int points, const Reached& reached, const Precision& precision) {
  double sum = 0.0;
  double highest = 0.0;
  size_t i = size;
  for (int j = points - 1; j >= 0; --j) {
    for (; i > 0 && reached(i - 1, j); --i) highest = std::max(highest, precision(i - 1));
    sum += highest;
  }
  return sum / points;
}

/// Paddle's detection_map computes in float32: recall 7 of 10 is below 0.7.
double DetectionMapAp(std::span<const CurvePoint> curve, int64_t positives, ApVersion version) {
  const auto recall = [&](int64_t hits) { return static_cast<float>(hits) / static_cast<float>(positives); };
  const auto precision = [](int64_t hits, int64_t total) {
    return static_cast<float>(hits) / static_cast<float>(total);
  };
  if (version == ApVersion::kElevenPoint) {
    return SampledPrecision(
        curve.size(), 11, [&](size_t i, int j) { return static_cast<double>(recall(curve[i].hits)) >= j / 10.0; },
        [&](size_t i) { return static_cast<double>(precision(curve[i].hits, curve[i].total)); });
  }
  float sum = 0.0F;
  float before = 0.0F;
  for (const CurvePoint& point : curve) {
    for (int64_t left = point.copies - 1; left >= 0; --left) {
      const float now = recall(point.hits - left);
      if (std::fabs(now - before) <= 1e-6F) continue;
      sum += precision(point.hits - left, point.total - left) * std::fabs(now - before);
      before = now;
    }
  }
  return static_cast<double>(sum);
}

double VocAp(std::span<const CurvePoint> curve, int64_t positives, ApVersion version) {
  const auto recall = [&](size_t i) { return static_cast<double>(curve[i].hits) / static_cast<double>(positives); };
  const auto precision = [&](size_t i) {
    return static_cast<double>(curve[i].hits) / static_cast<double>(curve[i].total);
  };
  if (version == ApVersion::kElevenPoint) {
    // The devkit walks the range 0:0.1:1, whose members are j * 0.1: 0.3, 0.6 and 0.7 come out a hair above what 3, 6
    // and 7 objects of 10 give.
    return SampledPrecision(
        curve.size(), 11, [&](size_t i, int j) { return recall(i) >= j * 0.1; }, precision);
  }
  double sum = 0.0;
  double envelope = 0.0;
  for (size_t i = curve.size(); i-- > 0;) {
    envelope = std::max(envelope, precision(i));
    sum += envelope * (recall(i) - (i > 0 ? recall(i - 1) : 0.0));
  }
  return sum;
}

double CocoAp(std::span<const CurvePoint> curve, int64_t positives) {
  constexpr double kTiny = std::numeric_limits<double>::epsilon();
  return SampledPrecision(
      curve.size(), 101,
      [&](size_t i, int j) {
        const double at = j == 100 ? 1.0 : j * 0.01;
        return static_cast<double>(curve[i].hits) / static_cast<double>(positives) >= at;
      },
      [&](size_t i) { return static_cast<double>(curve[i].hits) / (static_cast<double>(curve[i].total) + kTiny); });
}

/// A well-mixed 64-bit function of a counter (the finaliser of SplitMix64).
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

double AveragePrecision(std::span<const CurvePoint> curve, int64_t positives, Protocol protocol, ApVersion version) {
  switch (protocol) {
    case Protocol::kDetectionMap:
      return DetectionMapAp(curve, positives, version);
    case Protocol::kVoc:
      return VocAp(curve, positives, version);
    case Protocol::kCoco:
      break;
  }
  return CocoAp(curve, positives);
}

std::vector<CurvePoint> Curve(const ClassMatches& matches, size_t threshold) {
  std::vector<CurvePoint> curve;
  int64_t hits = 0;
  int64_t total = 0;
  for (size_t i = 0; i < matches.hit.size(); ++i) {
    if (((matches.ignored[i] >> threshold) & 1) != 0) continue;
    ++total;
    if (((matches.hit[i] >> threshold) & 1) != 0) curve.push_back({++hits, total, 1});
  }
  return curve;
}

Bootstrap::Bootstrap(size_t images, size_t resamples, uint64_t seed)
    : images_(images), resamples_(resamples), pitch_((resamples + kBlock - 1) / kBlock * kBlock) {
  draws_.assign(images_ * pitch_, 0);
  for (size_t r = 0; r < resamples_; ++r) {
    const uint64_t stream = Mix(Mix(seed) ^ r);
    for (size_t k = 0; k < images_; ++k) {
      // The upper 32 bits scaled to the number of pictures: no division, and no bias that 2^32 draws would show.
      const size_t image = ((Mix(stream + k) >> 32) * images_) >> 32;
      uint16_t& count = draws_[image * pitch_ + r];
      if (count < std::numeric_limits<uint16_t>::max()) ++count;
    }
  }
}

void Bootstrap::ClassAp(const ClassMatches& matches, size_t thresholds, Protocol protocol, ApVersion version,
                        std::span<double> ap) const {
  std::array<std::vector<CurvePoint>, kBlock> curves;
  for (size_t begin = 0; begin < resamples_; begin += kBlock) {
    const size_t block = std::min(kBlock, resamples_ - begin);
    std::array<int64_t, kBlock> positives{};
    for (const auto& [image, count] : matches.positives) {
      const uint16_t* draws = &draws_[static_cast<size_t>(image) * pitch_ + begin];
      for (size_t r = 0; r < kBlock; ++r) positives[r] += int64_t{draws[r]} * count;
    }
    std::array<double, kBlock> sum{};
    for (size_t t = 0; t < thresholds; ++t) {
      std::array<uint32_t, kBlock> total{};
      std::array<uint32_t, kBlock> hits{};
      for (auto& curve : curves) curve.clear();
      for (size_t i = 0; i < matches.hit.size(); ++i) {
        if (((matches.ignored[i] >> t) & 1) != 0) continue;
        const uint16_t* draws = &draws_[static_cast<size_t>(matches.image[i]) * pitch_ + begin];
        for (size_t r = 0; r < kBlock; ++r) total[r] += draws[r];
        if (((matches.hit[i] >> t) & 1) == 0) continue;
        for (size_t r = 0; r < block; ++r) {
          if (draws[r] == 0) continue;
          hits[r] += draws[r];
          curves[r].push_back({hits[r], total[r], draws[r]});
        }
      }
      for (size_t r = 0; r < block; ++r) {
        if (positives[r] > 0) sum[r] += AveragePrecision(curves[r], positives[r], protocol, version);
      }
    }
    for (size_t r = 0; r < block; ++r) {
      ap[begin + r] =
          positives[r] > 0 ? sum[r] / static_cast<double>(thresholds) : std::numeric_limits<double>::quiet_NaN();
    }
  }
}

}  // namespace ssd_prune
