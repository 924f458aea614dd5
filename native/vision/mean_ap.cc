#include "vision/mean_ap.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "kernels/thread_pool.h"

namespace ssd_prune {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kRecalls = std::size(kCocoRecalls);

void CocoClass(const CocoMatches& matches, size_t label, MeanAp& result) {
  for (size_t a = 0; a < kCocoAreas; ++a) {
    const ClassMatches& area = matches.area[a];
    for (size_t t = 0; t < kCocoThresholds && area.positive_count > 0; ++t) {
      result.ap[(label * kCocoAreas + a) * kCocoThresholds + t] =
          AveragePrecision(Curve(area, t), area.positive_count, Protocol::kCoco, ApVersion::kIntegral);
    }
  }
  for (size_t k = 0; k < kRecalls; ++k) {
    const ClassMatches& area = matches.area[kCocoRecalls[k].area];
    if (area.positive_count == 0) continue;
    std::array<int64_t, kCocoThresholds> hits{};
    for (size_t i = 0; i < area.hit.size(); ++i) {
      if (area.hit[i] == 0 || matches.rank[i] >= kCocoRecalls[k].detections) continue;
      for (size_t t = 0; t < kCocoThresholds; ++t) hits[t] += (area.hit[i] >> t) & 1;
    }
    for (size_t t = 0; t < kCocoThresholds; ++t) {
      result.recall[(label * kRecalls + k) * kCocoThresholds + t] =
          static_cast<double>(hits[t]) / static_cast<double>(area.positive_count);
    }
  }
}

}  // namespace

template <typename Score, typename Coordinate>
MeanAp ComputeMeanAp(const Truth& truth, const Detections<Score, Coordinate>& detections,
                     const MeanApOptions& options) {
  const bool coco = options.rules.protocol == Protocol::kCoco;
  const size_t classes = truth.classes;
  MeanAp result;
  result.ap.assign(coco ? classes * kCocoAreas * kCocoThresholds : classes, kNone);
  result.recall.assign(coco ? classes * kRecalls * kCocoThresholds : 0, kNone);
  result.positives.assign(classes, 0.0);
  result.detections.assign(classes, 0.0);
  result.resampled.assign(classes * options.resamples, kNone);

  const Matcher<Score, Coordinate> matcher(truth, detections);
  std::optional<Bootstrap> bootstrap;
  if (options.resamples > 0) bootstrap.emplace(truth.images, options.resamples, options.seed);

  // The biggest classes first, or one of them would keep a thread alone at the end.
  std::vector<size_t> labels(classes - 1);
  std::iota(labels.begin(), labels.end(), size_t{1});
  std::stable_sort(labels.begin(), labels.end(),
                   [&](size_t a, size_t b) { return matcher.DetectionCount(a) > matcher.DetectionCount(b); });
  ThreadPool::Global().ForEach(labels.size(), [&](size_t index) {
    const size_t label = labels[index];
    result.detections[label] = static_cast<double>(matcher.DetectionCount(label));
    ClassMatches matches;
    if (coco) {
      CocoMatches found = matcher.MatchCoco(label);
      CocoClass(found, label, result);
      matches = std::move(found.area[0]);
    } else {
      matches = matcher.MatchBest(label, options.rules);
      if (matches.positive_count > 0) {
        result.ap[label] =
            AveragePrecision(Curve(matches, 0), matches.positive_count, options.rules.protocol, options.version);
      }
    }
    result.positives[label] = static_cast<double>(matches.positive_count);
    if (bootstrap && matches.positive_count > 0) {
      bootstrap->ClassAp(matches, coco ? kCocoThresholds : 1, options.rules.protocol, options.version,
                         std::span(result.resampled).subspan(label * options.resamples, options.resamples));
    }
  });
  return result;
}

template MeanAp ComputeMeanAp(const Truth&, const Detections<float, float>&, const MeanApOptions&);
template MeanAp ComputeMeanAp(const Truth&, const Detections<double, double>&, const MeanApOptions&);

}  // namespace ssd_prune
