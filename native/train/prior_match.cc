#include "train/prior_match.h"

#include <algorithm>
#include <cmath>

#include "vision/decode.h"
#include "vision/nms.h"

namespace ssd_prune {

PriorMatcher::PriorMatcher(const float* priors, size_t count, float overlap)
    : priors_(priors, priors + 4 * count), corners_(4 * count), count_(count), overlap_(overlap) {
  const std::vector<float> zeros(4 * count);
  const float variances[4] = {1, 1, 1, 1};
  DecodeCenterSize(zeros.data(), priors, count, variances, corners_.data());
}

size_t PriorMatcher::Match(const Truth& truth, int32_t* matched, Scratch& scratch) const {
  std::fill(matched, matched + count_, -1);
  if (truth.count == 0) return 0;
  auto& [overlaps, best, paired] = scratch;
  overlaps.resize(truth.count * count_);
  for (size_t t = 0; t < truth.count; ++t) {
    float* row = overlaps.data() + t * count_;
    for (size_t p = 0; p < count_; ++p) row[p] = Overlap(truth.boxes + 4 * t, corners_.data() + 4 * p);
  }

  constexpr size_t kNone = SIZE_MAX;
  const auto best_prior = [&, row_of = overlaps.data()](size_t t) {
    const float* row = row_of + t * count_;
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
      const float overlap = overlaps[t * count_ + best[t]];
      const float most = overlaps[chosen * count_ + best[chosen]];
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
    float most = -1.0F;
    for (size_t t = 0; t < truth.count; ++t) {
      const float overlap = overlaps[t * count_ + p];
      if (overlap < kLeastOverlap || overlap < overlap_ || overlap <= most) continue;
      most = overlap;
      matched[p] = static_cast<int32_t>(t);
    }
    if (matched[p] >= 0) ++positives;
  }
  return positives;
}

void PriorMatcher::Encode(size_t p, const float* box, const float variances[4], float offsets[4]) const {
  const float* prior = priors_.data() + 4 * p;
  const float w = box[2] - box[0];
  const float h = box[3] - box[1];
  offsets[0] = ((box[0] + box[2]) / 2 - prior[0]) / prior[2] / variances[0];
  offsets[1] = ((box[1] + box[3]) / 2 - prior[1]) / prior[3] / variances[1];
  offsets[2] = std::log(w / prior[2]) / variances[2];
  offsets[3] = std::log(h / prior[3]) / variances[3];
}

}  // namespace ssd_prune
