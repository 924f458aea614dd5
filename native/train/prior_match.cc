#include "train/prior_match.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {
namespace {

/// Intersection over union of two boxes (xmin, ymin, xmax, ymax); 0 where they don't meet.
double Overlap(const float* a, const double* b) {
  const double w = std::min<double>(a[2], b[2]) - std::max<double>(a[0], b[0]);
  const double h = std::min<double>(a[3], b[3]) - std::max<double>(a[1], b[1]);
  if (!(w > 0.0 && h > 0.0)) return 0.0;
  const double common = w * h;
  const double area_a = (static_cast<double>(a[2]) - a[0]) * (static_cast<double>(a[3]) - a[1]);
  const double area_b = (b[2] - b[0]) * (b[3] - b[1]);
  return common / (area_a + area_b - common);
}

}  // namespace

PriorMatcher::PriorMatcher(const float* priors, size_t count, double overlap)
    : priors_(priors, priors + 4 * count), count_(count), overlap_(overlap) {
  corners_.reserve(4 * count);
  for (size_t p = 0; p < count; ++p) {
    const float* prior = priors + 4 * p;
    const double half_w = static_cast<double>(prior[2]) / 2;
    const double half_h = static_cast<double>(prior[3]) / 2;
    corners_.insert(corners_.end(), {prior[0] - half_w, prior[1] - half_h, prior[0] + half_w, prior[1] + half_h});
  }
}

size_t PriorMatcher::Match(const Truth& truth, int32_t* matched, Scratch& scratch) const {
  std::fill(matched, matched + count_, -1);
  if (truth.count == 0) return 0;
  auto& [overlaps, best, paired] = scratch;
  overlaps.resize(truth.count * count_);
  for (size_t t = 0; t < truth.count; ++t) {
    double* row = overlaps.data() + t * count_;
    for (size_t p = 0; p < count_; ++p) row[p] = Overlap(truth.boxes + 4 * t, corners_.data() + 4 * p);
  }

  constexpr size_t kNone = SIZE_MAX;
  const auto best_prior = [&, row_of = overlaps.data()](size_t t) {
    const double* row = row_of + t * count_;
    size_t found = kNone;
    for (size_t p = 0; p < count_; ++p) {
      if (matched[p] < 0 && row[p] >= kLeastOverlap && (found == kNone || row[p] > row[found])) found = p;
    }
    return found;
  };
  best.resize(truth.count);
  paired.assign(truth.count, 0);
  for (size_t t = 0; t < truth.count; ++t) best[t] = best_prior(t);
  size_t positives = 0;
  for (;;) {
    size_t chosen = kNone;
    for (size_t t = 0; t < truth.count; ++t) {
      if (paired[t] || best[t] == kNone) continue;
      if (chosen == kNone) {
        chosen = t;
        continue;
      }
      const double overlap = overlaps[t * count_ + best[t]];
      const double most = overlaps[chosen * count_ + best[chosen]];
      if (overlap > most || (overlap == most && best[t] < best[chosen])) chosen = t;
    }
    if (chosen == kNone) break;
    const size_t prior = best[chosen];
    matched[prior] = static_cast<int32_t>(chosen);
    paired[chosen] = 1;
    ++positives;
    for (size_t t = 0; t < truth.count; ++t) {
      if (!paired[t] && best[t] == prior) best[t] = best_prior(t);
    }
  }

  for (size_t p = 0; p < count_; ++p) {
    if (matched[p] >= 0) continue;
    double most = -1.0;
    for (size_t t = 0; t < truth.count; ++t) {
      const double overlap = overlaps[t * count_ + p];
      if (overlap < kLeastOverlap || overlap < overlap_ || overlap <= most) continue;
      most = overlap;
      matched[p] = static_cast<int32_t>(t);
    }
    if (matched[p] >= 0) ++positives;
  }
  return positives;
}

void PriorMatcher::Encode(size_t p, const float* box, const float variances[4], double offsets[4]) const {
  const float* prior = priors_.data() + 4 * p;
  for (size_t axis = 0; axis < 2; ++axis) {
    const double low = box[axis];
    const double high = box[axis + 2];
    const double size = prior[axis + 2];
    offsets[axis] = ((low + high) / 2 - prior[axis]) / size / variances[axis];
    offsets[axis + 2] = std::log((high - low) / size) / variances[axis + 2];
  }
}

}  // namespace ssd_prune
