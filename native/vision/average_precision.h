// Average precision of ranked detections: the integrals of three protocols, plain or with pictures counted several
// times (bootstrap).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vision/match.h"

namespace ssd_prune {

enum class ApVersion : int { kElevenPoint = 0, kIntegral = 1 };

/// The curve after a hit: how many hits and how many counted detections there are up to here. `copies` detections of
/// equal rank hit in a row, as when their picture was drawn that often. False positives need no point of their own:
/// at equal recall their precision is lower.
struct CurvePoint {
  int64_t hits;
  int64_t total;
  int64_t copies;
};

/// Average precision over a curve with `positives` > 0 objects to be found.
double AveragePrecision(std::span<const CurvePoint> curve, int64_t positives, Protocol protocol, ApVersion version);

/// The curve of one threshold over the detections as they are.
std::vector<CurvePoint> Curve(const ClassMatches& matches, size_t threshold);

/// How often each picture was drawn in each resample: a row of `resamples` counts a picture.
class Bootstrap {
 public:
  /// Draw k of resample r is a pure function of (seed, r, k).
  Bootstrap(size_t images, size_t resamples, uint64_t seed);

  /// One class's AP in each resample, averaged over `thresholds` thresholds; NaN where no picture with an object of
  /// the class was drawn.
  void ClassAp(const ClassMatches& matches, size_t thresholds, Protocol protocol, ApVersion version,
               std::span<double> ap) const;

  size_t resamples() const { return resamples_; }

 private:
  size_t images_;
  size_t resamples_;
  size_t pitch_;  // resamples rounded up to whole blocks
  std::vector<uint16_t> draws_;
};

}  // namespace ssd_prune
