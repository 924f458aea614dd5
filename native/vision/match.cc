#include "vision/match.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ssd_prune {

namespace {

/// Objects of one class in a picture: a range of Matcher's truth_order_.
struct Range {
  uint32_t begin, end;
};

template <typename T>
struct Corners {
  T xmin, ymin, xmax, ymax;
};

/// float32 on boxes scaled to 0 … 1, as detection_map computes it.
float NormalisedOverlap(const Corners<float>& a, const Corners<float>& b) {
  if (b.xmin > a.xmax || b.xmax < a.xmin || b.ymin > a.ymax || b.ymax < a.ymin) return 0.0F;
  const float width = std::min(a.xmax, b.xmax) - std::max(a.xmin, b.xmin);
  const float height = std::min(a.ymax, b.ymax) - std::max(a.ymin, b.ymin);
  const float both = width * height;
  const float area_a = (a.xmax - a.xmin) * (a.ymax - a.ymin);
  const float area_b = (b.xmax - b.xmin) * (b.ymax - b.ymin);
  return both / (area_a + area_b - both);
}

/// Pixels from the picture's upper left corner. The devkit numbers pixels from 1 and counts the last one in, so its
/// xmax - xmin + 1 is the width from edge to edge here. Boxes apart from each other give −1.
double PixelOverlap(const Corners<double>& a, const Corners<double>& b) {
  const double width = std::min(a.xmax, b.xmax) - std::max(a.xmin, b.xmin);
  const double height = std::min(a.ymax, b.ymax) - std::max(a.ymin, b.ymin);
  if (width <= 0.0 || height <= 0.0) return -1.0;
  const double both = width * height;
  const double area_a = (a.xmax - a.xmin) * (a.ymax - a.ymin);
  const double area_b = (b.xmax - b.xmin) * (b.ymax - b.ymin);
  return both / (area_a + area_b - both);
}

struct CocoBox {
  double x, y, width, height;
};

/// Share of the union, or of the detection alone where the object is a crowd.
double CocoOverlap(const CocoBox& detection, const CocoBox& object, bool crowd) {
  const double width =
      std::min(detection.width + detection.x, object.width + object.x) - std::max(detection.x, object.x);
  if (width <= 0.0) return 0.0;
  const double height =
      std::min(detection.height + detection.y, object.height + object.y) - std::max(detection.y, object.y);
  if (height <= 0.0) return 0.0;
  const double both = width * height;
  const double area = detection.width * detection.height;
  return both / (crowd ? area : area + object.width * object.height - both);
}

constexpr std::array<std::pair<double, double>, kCocoAreas> kAreaRanges{
    {{0.0, 1e10}, {0.0, 32.0 * 32.0}, {32.0 * 32.0, 96.0 * 96.0}, {96.0 * 96.0, 1e10}}};

/// The ten thresholds as numpy's linspace(0.5, 0.95, 10) rounds them, each just below 1 at most.
std::array<double, kCocoThresholds> CocoThresholds() {
  std::array<double, kCocoThresholds> thresholds{};
  constexpr double step = (0.95 - 0.5) / 9.0;
  for (size_t t = 0; t + 1 < kCocoThresholds; ++t) thresholds[t] = static_cast<double>(t) * step + 0.5;
  thresholds.back() = 0.95;
  return thresholds;
}

bool Outside(double area, size_t range) { return area < kAreaRanges[range].first || area > kAreaRanges[range].second; }

/// A key that rises where the score falls. −0 equals 0.
uint64_t FallingKey(double score) {
  const auto bits = std::bit_cast<uint64_t>(score + 0.0);
  const uint64_t rising = (bits >> 63) != 0 ? ~bits : bits | (uint64_t{1} << 63);
  return ~rising;
}

struct Keyed {
  uint64_t key;
  uint32_t index;
};

/// Stable radix sort. float32 scores leave most of the low digits equal, and those passes are skipped.
void SortByKey(std::vector<Keyed>& entries) {
  constexpr int kBits = 11;
  constexpr size_t kDigits = (64 + kBits - 1) / kBits;
  constexpr size_t kValues = size_t{1} << kBits;
  if (entries.size() < 256) {
    std::stable_sort(entries.begin(), entries.end(), [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
    return;
  }
  std::vector<std::array<uint32_t, kValues>> counts(kDigits);
  for (const Keyed& entry : entries) {
    for (size_t d = 0; d < kDigits; ++d) ++counts[d][(entry.key >> (d * kBits)) & (kValues - 1)];
  }
  std::vector<Keyed> other(entries.size());
  for (size_t d = 0; d < kDigits; ++d) {
    auto& count = counts[d];
    const auto digit = [d](const Keyed& entry) { return (entry.key >> (d * kBits)) & (kValues - 1); };
    if (count[digit(entries.front())] == entries.size()) continue;
    uint32_t start = 0;
    for (uint32_t& value : count) start += std::exchange(value, start);
    for (const Keyed& entry : entries) other[count[digit(entry)]++] = entry;
    entries.swap(other);
  }
}

/// Stable counting sort of `order` by a small key; `starts` gets where each key begins.
template <typename Key>
std::vector<uint32_t> SortByBucket(const std::vector<uint32_t>& order, size_t buckets, const Key& key,
                                   std::vector<size_t>& starts) {
  starts.assign(buckets + 1, 0);
  for (uint32_t i : order) ++starts[key(i) + 1];
  for (size_t b = 0; b < buckets; ++b) starts[b + 1] += starts[b];
  std::vector<size_t> next(starts.begin(), starts.end() - 1);
  std::vector<uint32_t> sorted(order.size());
  for (uint32_t i : order) sorted[next[key(i)]++] = i;
  return sorted;
}

std::vector<uint32_t> Iota(size_t count) {
  std::vector<uint32_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<uint32_t>(i);
  return order;
}

}  // namespace

template <typename Score, typename Coordinate>
struct Matcher<Score, Coordinate>::ClassTruth {
  std::vector<Range> of_image;  // where each picture's objects lie in truth_order_
};

template <typename Score, typename Coordinate>
Matcher<Score, Coordinate>::Matcher(const Truth& truth, const Detections<Score, Coordinate>& detections)
    : truth_(truth), detections_(detections) {
  std::vector<uint32_t> order = Iota(detections.image.size());
  if (!std::is_sorted(detections.image.begin(), detections.image.end())) {
    std::vector<size_t> starts;
    order = SortByBucket(
        order, truth.images, [&](uint32_t i) { return size_t(detections.image[i]); }, starts);
  }
  order_ = SortByBucket(
      order, truth.classes, [&](uint32_t i) { return size_t(detections.label[i]); }, by_class_);
  truth_order_ = SortByBucket(
      Iota(truth.label.size()), truth.classes, [&](uint32_t i) { return size_t(truth.label[i]); }, truth_by_class_);
  truth_image_.resize(truth.label.size());
  for (size_t image = 0; image < truth.images; ++image) {
    std::fill(truth_image_.begin() + truth.offset[image], truth_image_.begin() + truth.offset[image + 1],
              static_cast<int32_t>(image));
  }
}

template <typename Score, typename Coordinate>
std::vector<uint32_t> Matcher<Score, Coordinate>::RankByScore(size_t label) const {
  std::vector<Keyed> entries;
  entries.reserve(DetectionCount(label));
  for (size_t i = by_class_[label]; i < by_class_[label + 1]; ++i) {
    entries.push_back({FallingKey(static_cast<double>(detections_.score[order_[i]])), order_[i]});
  }
  SortByKey(entries);
  std::vector<uint32_t> ranked(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) ranked[i] = entries[i].index;
  return ranked;
}

template <typename Score, typename Coordinate>
auto Matcher<Score, Coordinate>::TruthOf(size_t label) const -> ClassTruth {
  ClassTruth found;
  found.of_image.assign(truth_.images, Range{0, 0});
  for (size_t i = truth_by_class_[label]; i < truth_by_class_[label + 1]; ++i) {
    Range& range = found.of_image[static_cast<size_t>(truth_image_[truth_order_[i]])];
    if (range.end == 0) range.begin = static_cast<uint32_t>(i);
    range.end = static_cast<uint32_t>(i + 1);
  }
  return found;
}

namespace {

/// Adds a picture's object to what recall divides by; objects come picture by picture.
void CountPositive(ClassMatches& matches, int32_t image) {
  ++matches.positive_count;
  if (matches.positives.empty() || matches.positives.back().first != image) matches.positives.emplace_back(image, 0);
  ++matches.positives.back().second;
}

}  // namespace

template <typename Score, typename Coordinate>
ClassMatches Matcher<Score, Coordinate>::MatchBest(size_t label, const MatchRules& rules) const {
  const std::vector<uint32_t> ranked = RankByScore(label);
  const ClassTruth truth = TruthOf(label);
  const size_t first = truth_by_class_[label];
  const size_t objects = truth_by_class_[label + 1] - first;
  const bool normalised = rules.protocol == Protocol::kDetectionMap;

  ClassMatches matches;
  std::vector<Corners<float>> scaled(normalised ? objects : 0);
  for (size_t i = 0; i < objects; ++i) {
    const uint32_t object = truth_order_[first + i];
    const int32_t image = truth_image_[object];
    if ((truth_.flag[object] & kIgnored) == 0) CountPositive(matches, image);
    if (!normalised) continue;
    const double* box = &truth_.box[object * 4];
    const double* size = &truth_.size[static_cast<size_t>(image) * 2];
    scaled[i] = {static_cast<float>(box[0] / size[0]), static_cast<float>(box[1] / size[1]),
                 static_cast<float>(box[2] / size[0]), static_cast<float>(box[3] / size[1])};
  }

  matches.image.resize(ranked.size());
  matches.hit.assign(ranked.size(), 0);
  matches.ignored.assign(ranked.size(), 0);
  std::vector<uint8_t> taken(objects, 0);
  const auto threshold = static_cast<float>(rules.overlap_threshold);
  for (size_t place = 0; place < ranked.size(); ++place) {
    const size_t detection = ranked[place];
    const int32_t image = detections_.image[detection];
    matches.image[place] = image;
    const Range range = truth.of_image[static_cast<size_t>(image)];
    if (range.begin == range.end) continue;
    const Coordinate* box = &detections_.box[detection * 4];
    const double* size = &truth_.size[static_cast<size_t>(image) * 2];
    size_t best = 0;
    bool overlaps = false;
    if (normalised) {
      Corners<float> corners{};
      if (detections_.pixels) {
        const double x = box[0], y = box[1];
        corners = {static_cast<float>(x / size[0]), static_cast<float>(y / size[1]),
                   static_cast<float>((x + box[2]) / size[0]), static_cast<float>((y + box[3]) / size[1])};
      } else {
        corners = {static_cast<float>(box[0]), static_cast<float>(box[1]), static_cast<float>(box[2]),
                   static_cast<float>(box[3])};
      }
      const auto clip = [](float value) { return std::max(std::min(value, 1.0F), 0.0F); };
      corners = {clip(corners.xmin), clip(corners.ymin), clip(corners.xmax), clip(corners.ymax)};
      float highest = -1.0F;
      for (size_t i = range.begin; i < range.end; ++i) {
        const float overlap = NormalisedOverlap(corners, scaled[i - first]);
        if (overlap > highest) {
          highest = overlap;
          best = i;
        }
      }
      overlaps = highest > threshold;
    } else {
      Corners<double> corners{};
      if (detections_.pixels) {
        const double x = box[0], y = box[1];
        corners = {x, y, x + box[2], y + box[3]};
      } else {
        corners = {box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]};
      }
      double highest = -1.0;
      for (size_t i = range.begin; i < range.end; ++i) {
        const double* object = &truth_.box[truth_order_[i] * 4];
        const double overlap = PixelOverlap(corners, {object[0], object[1], object[2], object[3]});
        if (overlap > highest) {
          highest = overlap;
          best = i;
        }
      }
      overlaps = highest >= rules.overlap_threshold;
    }
    if (!overlaps) continue;
    if ((truth_.flag[truth_order_[best]] & kIgnored) != 0) {
      matches.ignored[place] = 1;
    } else if (taken[best - first] == 0) {
      taken[best - first] = 1;
      matches.hit[place] = 1;
    }
  }
  return matches;
}

template <typename Score, typename Coordinate>
CocoMatches Matcher<Score, Coordinate>::MatchCoco(size_t label) const {
  static const std::array<double, kCocoThresholds> thresholds = CocoThresholds();
  constexpr uint16_t kAll = (1U << kCocoThresholds) - 1;
  const std::vector<uint32_t> ranked = RankByScore(label);
  const ClassTruth truth = TruthOf(label);
  const size_t first = truth_by_class_[label];
  const size_t objects = truth_by_class_[label + 1] - first;

  CocoMatches matches;
  std::vector<uint8_t> ignored(objects);  // bit a: ignored in area range a
  for (size_t i = 0; i < objects; ++i) {
    const uint32_t object = truth_order_[first + i];
    for (size_t a = 0; a < kCocoAreas; ++a) {
      if (truth_.flag[object] != 0 || Outside(truth_.area[object], a)) {
        ignored[i] = static_cast<uint8_t>(ignored[i] | (1U << a));
      } else {
        CountPositive(matches.area[a], truth_image_[object]);
      }
    }
  }
  for (ClassMatches& area : matches.area) {
    area.image.reserve(ranked.size());
    area.hit.reserve(ranked.size());
    area.ignored.reserve(ranked.size());
  }
  matches.rank.reserve(ranked.size());

  std::vector<std::array<uint16_t, kCocoAreas>> taken(objects);  // bit t: taken at threshold t
  std::vector<uint8_t> seen(truth_.images, 0);
  std::vector<double> overlaps;
  for (const size_t detection : ranked) {
    const int32_t image = detections_.image[detection];
    uint8_t& rank = seen[static_cast<size_t>(image)];
    if (rank >= kCocoDetections) continue;
    matches.rank.push_back(rank++);
    const Coordinate* box = &detections_.box[detection * 4];
    CocoBox corners{box[0], box[1], box[2], box[3]};
    if (!detections_.pixels) {
      const double* size = &truth_.size[static_cast<size_t>(image) * 2];
      const double x = box[0] * size[0], y = box[1] * size[1];
      corners = {x, y, box[2] * size[0] - x, box[3] * size[1] - y};
    }
    const double area = corners.width * corners.height;
    const Range range = truth.of_image[static_cast<size_t>(image)];
    overlaps.clear();
    double highest = 0.0;
    for (size_t i = range.begin; i < range.end; ++i) {
      const uint32_t object = truth_order_[i];
      const double* b = &truth_.box[object * 4];
      overlaps.push_back(CocoOverlap(corners, {b[0], b[1], b[2], b[3]}, (truth_.flag[object] & kCrowd) != 0));
      highest = std::max(highest, overlaps.back());
    }
    for (size_t a = 0; a < kCocoAreas; ++a) {
      uint16_t hit = 0;
      uint16_t ignore = 0;
      const uint16_t unmatched = Outside(area, a) ? kAll : uint16_t{0};
      for (size_t t = 0; t < kCocoThresholds; ++t) {
        const auto bit = static_cast<uint16_t>(1U << t);
        if (highest < thresholds[t]) {
          // Higher thresholds find nothing either.
          ignore = static_cast<uint16_t>(ignore | (unmatched & ~(bit - 1U)));
          break;
        }
        size_t match = range.end;
        bool match_ignored = false;
        for (const bool pass : {false, true}) {
          double best = thresholds[t];
          for (size_t i = range.begin; i < range.end; ++i) {
            const size_t object = i - first;
            if (((ignored[object] >> a) & 1U) != (pass ? 1U : 0U)) continue;
            const bool crowd = (truth_.flag[truth_order_[i]] & kCrowd) != 0;
            if ((taken[object][a] & bit) != 0 && !crowd) continue;
            if (overlaps[i - range.begin] < best) continue;
            best = overlaps[i - range.begin];
            match = i;
            match_ignored = pass;
          }
          if (match != range.end) break;
        }
        if (match == range.end) {
          ignore = static_cast<uint16_t>(ignore | (unmatched & bit));
        } else {
          taken[match - first][a] = static_cast<uint16_t>(taken[match - first][a] | bit);
          if (match_ignored)
            ignore = static_cast<uint16_t>(ignore | bit);
          else
            hit = static_cast<uint16_t>(hit | bit);
        }
      }
      matches.area[a].image.push_back(image);
      matches.area[a].hit.push_back(hit);
      matches.area[a].ignored.push_back(ignore);
    }
  }
  return matches;
}

template class Matcher<float, float>;
template class Matcher<double, double>;

}  // namespace ssd_prune
