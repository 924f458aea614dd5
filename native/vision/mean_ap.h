// Average precision of every class of a dataset, on all threads, with an optional bootstrap over pictures.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/average_precision.h"
#include "vision/match.h"

namespace ssd_prune {

struct MeanApOptions {
  MatchRules rules;
  ApVersion version = ApVersion::kElevenPoint;
  size_t resamples = 0;  // 0: no bootstrap
  uint64_t seed = 0;
};

/// Where COCO takes recall: area range and detections a picture. The order of its summary.
struct CocoRecallAt {
  size_t area;
  int detections;
};
inline constexpr CocoRecallAt kCocoRecalls[] = {{0, 1}, {0, 10}, {0, 100}, {1, 100}, {2, 100}, {3, 100}};

/// All arrays begin with the class, background included. An AP or recall without objects to be found is NaN.
struct MeanAp {
  std::vector<double> ap;          // [classes], or [classes][areas][thresholds] for COCO
  std::vector<double> recall;      // [classes][kCocoRecalls][thresholds]; COCO only
  std::vector<double> positives;   // [classes]
  std::vector<double> detections;  // [classes]
  std::vector<double> resampled;   // [classes][resamples]
};

template <typename Score, typename Coordinate>
MeanAp ComputeMeanAp(const Truth& truth, const Detections<Score, Coordinate>& detections, const MeanApOptions& options);

}  // namespace ssd_prune
