// Which ground-truth box each prior box answers for, as Paddle's ssd_loss matches ('per_prediction').
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssd_prune {

/// What is annotated on one picture.
struct Truth {
  /// (count, 4): xmin, ymin, xmax, ymax as shares of the picture.
  const float* boxes = nullptr;
  /// Class of each box, 1 and up; 0 is background.
  const int32_t* labels = nullptr;
  size_t count = 0;
};

/// A pair that overlaps by less never matches, whatever the threshold.
inline constexpr double kLeastOverlap = 1e-6;

class PriorMatcher {
 public:
  /// Memory only, kept between calls.
  struct Scratch {
    std::vector<double> overlaps;  // (truth, prior)
    std::vector<size_t> best;      // the prior that each unpaired box overlaps most
    std::vector<char> paired;
  };

  /// `priors` (count, 4): cx, cy, w, h as shares of the picture. `overlap`: intersection over union from which on a
  /// prior takes the box that it covers best. Overlaps are computed in float64: many priors overlap a box alike, and
  /// there float32 would choose by its rounding.
  PriorMatcher(const float* priors, size_t count, double overlap);

  /// matched[p] = index of the truth that prior p answers for, -1 where it answers for none. First the pair that
  /// overlaps most of all, then the next among priors and boxes not yet paired, until every box has its prior; then
  /// every prior left takes its best box if they overlap by at least the threshold. Equal overlaps: the lower prior,
  /// then the lower box. Returns the number of matched priors.
  size_t Match(const Truth& truth, int32_t* matched, Scratch& scratch) const;

  /// Target offsets (dx, dy, dw, dh) of prior p that answers for `box` (corners): the inverse of DecodeCenterSize.
  void Encode(size_t p, const float* box, const float variances[4], double offsets[4]) const;

 private:
  std::vector<float> priors_;
  std::vector<double> corners_;
  size_t count_;
  double overlap_;
};

}  // namespace ssd_prune
