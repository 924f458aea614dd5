#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "train/hard_negatives.h"
#include "train/prior_match.h"
#include "vision/decode.h"

namespace ssd_prune {
namespace {

/// Priors from corners, so that cases can be drawn on paper.
std::vector<float> FromCorners(const std::vector<float>& corners) {
  std::vector<float> priors;
  for (size_t i = 0; i < corners.size(); i += 4) {
    const float* c = corners.data() + i;
    priors.insert(priors.end(), {(c[0] + c[2]) / 2, (c[1] + c[3]) / 2, c[2] - c[0], c[3] - c[1]});
  }
  return priors;
}

std::vector<int32_t> Match(const std::vector<float>& prior_corners, const std::vector<float>& boxes,
                           double overlap = 0.5) {
  const std::vector<float> priors = FromCorners(prior_corners);
  const PriorMatcher matcher(priors.data(), priors.size() / 4, overlap);
  const std::vector<int32_t> labels(boxes.size() / 4, 1);
  std::vector<int32_t> matched(priors.size() / 4);
  PriorMatcher::Scratch scratch;
  const size_t count = matcher.Match({boxes.data(), labels.data(), labels.size()}, matched.data(), scratch);
  EXPECT_EQ(count,
            static_cast<size_t>(std::count_if(matched.begin(), matched.end(), [](int32_t m) { return m >= 0; })));
  return matched;
}

TEST(PriorMatcher, GreatestPairFirst) {
  // Box 0 overlaps both priors by 1/3; box 1 is prior 0 itself. So box 0 must do with prior 1.
  const std::vector<float> priors = {0, 0, 0.5F, 0.5F, 0.5F, 0, 1, 0.5F};
  const std::vector<float> boxes = {0.25F, 0, 0.75F, 0.5F, 0, 0, 0.5F, 0.5F};
  EXPECT_EQ(Match(priors, boxes), (std::vector<int32_t>{1, 0}));
  // The other order of boxes changes nothing.
  EXPECT_EQ(Match(priors, {0, 0, 0.5F, 0.5F, 0.25F, 0, 0.75F, 0.5F}), (std::vector<int32_t>{0, 1}));
}

TEST(PriorMatcher, ThresholdIsInclusive) {
  // Prior 1 overlaps the box by exactly 1/2, prior 2 by exactly 1/4; prior 0 is the box.
  const std::vector<float> priors = {0, 0, 0.5F, 0.5F, 0, 0, 0.5F, 0.25F, 0, 0, 0.25F, 0.25F};
  const std::vector<float> box = {0, 0, 0.5F, 0.5F};
  EXPECT_EQ(Match(priors, box), (std::vector<int32_t>{0, 0, -1}));
  EXPECT_EQ(Match(priors, box, 0.25), (std::vector<int32_t>{0, 0, 0}));
  EXPECT_EQ(Match(priors, box, 0.51), (std::vector<int32_t>{0, -1, -1}));
}

TEST(PriorMatcher, EqualOverlapsTakeTheLowerPriorThenTheLowerBox) {
  // Two equal priors, two equal boxes.
  const std::vector<float> same = {0, 0, 0.5F, 0.5F, 0, 0, 0.5F, 0.5F};
  EXPECT_EQ(Match(same, same), (std::vector<int32_t>{0, 1}));
  // Three equal priors: the third takes the first of its equal best boxes.
  EXPECT_EQ(Match({0, 0, 0.5F, 0.5F, 0, 0, 0.5F, 0.5F, 0, 0, 0.5F, 0.5F}, same), (std::vector<int32_t>{0, 1, 0}));
}

TEST(PriorMatcher, MoreBoxesThanPriors) {
  const std::vector<float> prior = {0, 0, 0.5F, 0.5F};
  const std::vector<float> boxes = {0, 0, 0.25F, 0.5F, 0, 0, 0.5F, 0.5F, 0.25F, 0, 0.5F, 0.5F};
  EXPECT_EQ(Match(prior, boxes), std::vector<int32_t>{1});
}

TEST(PriorMatcher, BoxesThatTouchNothingHaveNoPrior) {
  EXPECT_EQ(Match({0, 0, 0.25F, 0.25F}, {0.5F, 0.5F, 1, 1}), std::vector<int32_t>{-1});
  EXPECT_EQ(Match({0, 0, 0.25F, 0.25F}, {}), std::vector<int32_t>{-1});
}

TEST(PriorMatcher, EncodingIsUndoneByDecoding) {
  const std::vector<float> priors = {0.5F, 0.4F, 0.2F, 0.1F};
  const float variances[] = {0.1F, 0.1F, 0.2F, 0.2F};
  const PriorMatcher matcher(priors.data(), 1, 0.5);
  const float box[] = {0.3F, 0.25F, 0.7F, 0.45F};
  double offsets[4];
  matcher.Encode(0, box, variances, offsets);
  EXPECT_NEAR(offsets[0], 0.0, 1e-5);
  EXPECT_NEAR(offsets[1], -5.0, 1e-5);  // (0.35 - 0.4) / 0.1 / 0.1
  EXPECT_NEAR(offsets[2], std::log(2.0) / 0.2, 1e-5);
  const float stored[] = {static_cast<float>(offsets[0]), static_cast<float>(offsets[1]),
                          static_cast<float>(offsets[2]), static_cast<float>(offsets[3])};
  float corners[4];
  DecodeCenterSize(stored, priors.data(), 1, variances, corners);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(corners[i], box[i], 1e-6F);
}

TEST(HardNegatives, ThreeForEachMatchedOneByLossThenIndex) {
  const std::vector<int32_t> matched = {-1, 0, -1, -1, -1, -1};
  const std::vector<double> losses = {1.0, 9.0, 2.0, 1.0, 2.0, 1.0};
  std::vector<uint8_t> selected(6);
  std::vector<uint32_t> order;
  EXPECT_EQ(MineHardNegatives(matched.data(), losses.data(), 6, 1, 3.0F, selected.data(), order), 3U);
  EXPECT_EQ(selected, (std::vector<uint8_t>{1, 0, 1, 0, 1, 0}));
  // int(ratio · positives): 1.9 is one.
  EXPECT_EQ(MineHardNegatives(matched.data(), losses.data(), 6, 1, 1.9F, selected.data(), order), 1U);
  EXPECT_EQ(selected, (std::vector<uint8_t>{0, 0, 1, 0, 0, 0}));
  // No more than there are.
  EXPECT_EQ(MineHardNegatives(matched.data(), losses.data(), 6, 2, 3.0F, selected.data(), order), 5U);
  EXPECT_EQ(MineHardNegatives(matched.data(), losses.data(), 6, 0, 3.0F, selected.data(), order), 0U);
}

}  // namespace
}  // namespace ssd_prune
