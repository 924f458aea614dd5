#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "vision/decode.h"
#include "vision/nms.h"
#include "vision/resize.h"

namespace ssd_prune {
namespace {

TEST(Overlap, CountsAreasOnce) {
  const float a[] = {0, 0, 2, 2};
  const float b[] = {1, 1, 3, 3};
  EXPECT_FLOAT_EQ(Overlap(a, b), 1.0F / 7.0F);
  EXPECT_FLOAT_EQ(Overlap(a, a), 1.0F);
  const float apart[] = {2.5F, 0, 3, 2};
  EXPECT_EQ(Overlap(a, apart), 0.0F);
}

TEST(Nms, ThresholdsAreStrictAndBackgroundIsSkipped) {
  // Boxes 0 and 1 overlap by exactly one half.
  const std::vector<float> corners = {0, 0, 1, 1, 0, 0, 1, 0.5F, 5, 5, 6, 6};
  const std::vector<float> scores = {0.9F, 0.8F, 0.9F, 0.7F, 0.9F, 0.5F};
  NmsSettings settings;
  settings.score_threshold = 0.5F;
  settings.iou_threshold = 0.5F;
  const auto kept = MulticlassNms(corners.data(), scores.data(), 3, 2, settings);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].box, 0U);
  EXPECT_EQ(kept[1].box, 1U);
  settings.iou_threshold = 0.49F;
  EXPECT_EQ(MulticlassNms(corners.data(), scores.data(), 3, 2, settings).size(), 1U);
}

TEST(Nms, LimitsHoldPerClassAndOverall) {
  const size_t count = 10;
  std::vector<float> corners;
  std::vector<float> scores;
  for (size_t i = 0; i < count; ++i) {
    const auto at = static_cast<float>(i) * 2.0F;
    corners.insert(corners.end(), {at, 0, at + 1, 1});
    scores.insert(scores.end(), {0.0F, 0.5F, 0.5F + 0.01F * static_cast<float>(i)});
  }
  NmsSettings settings;
  settings.top_k = 4;
  settings.keep_top_k = 5;
  const auto kept = MulticlassNms(corners.data(), scores.data(), count, 3, settings);
  ASSERT_EQ(kept.size(), 5U);
  // Class 2 has the four best; of class 1, where all are equal, the first stays.
  EXPECT_EQ(kept[0].label, 1U);
  EXPECT_EQ(kept[0].box, 0U);
  EXPECT_EQ(kept[1].box, 9U);
  EXPECT_EQ(kept[4].box, 6U);
}

/// Suppression as it is described: class after class, and the best of what is left over all classes.
std::vector<Detection> ClassByClass(const std::vector<float>& corners, const std::vector<float>& scores, size_t count,
                                    size_t classes, const NmsSettings& settings) {
  const auto better = [](const Detection& a, const Detection& b) { return a.score > b.score; };
  const auto cut = [](std::vector<Detection>& list, int64_t limit) {
    if (limit >= 0 && list.size() > static_cast<size_t>(limit)) list.resize(static_cast<size_t>(limit));
  };
  std::vector<Detection> kept;
  for (size_t c = 0; c < classes; ++c) {
    if (static_cast<int64_t>(c) == settings.background) continue;
    std::vector<Detection> candidates;
    for (size_t i = 0; i < count; ++i) {
      const float score = scores[i * classes + c];
      if (score > settings.score_threshold) {
        candidates.push_back({static_cast<uint32_t>(c), score, static_cast<uint32_t>(i)});
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(), better);
    cut(candidates, settings.top_k);
    std::vector<Detection> of_class;
    for (const Detection& candidate : candidates) {
      const bool free = std::all_of(of_class.begin(), of_class.end(), [&](const Detection& other) {
        return Overlap(&corners[candidate.box * 4], &corners[other.box * 4]) <= settings.iou_threshold;
      });
      if (free) of_class.push_back(candidate);
    }
    kept.insert(kept.end(), of_class.begin(), of_class.end());
  }
  std::stable_sort(kept.begin(), kept.end(), better);
  cut(kept, settings.keep_top_k);
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.label < b.label; });
  return kept;
}

TEST(Nms, EqualsOneClassAfterTheOther) {
  // Coarse numbers, so that scores tie, boxes coincide and some have no area.
  std::mt19937 random(7);
  const auto below = [&](uint32_t limit) { return static_cast<int64_t>(random() % limit); };
  for (int round = 0; round < 300; ++round) {
    const auto count = static_cast<size_t>(below(60));
    const auto classes = static_cast<size_t>(1 + below(6));
    std::vector<float> corners(count * 4);
    std::vector<float> scores(count * classes);
    for (float& value : corners) value = static_cast<float>(below(10)) / 10.0F;
    for (float& value : scores) value = static_cast<float>(below(10)) / 10.0F;
    NmsSettings settings;
    settings.top_k = below(20) - 1;
    settings.keep_top_k = below(20) - 1;
    settings.background = below(3) - 1;
    const auto expected = ClassByClass(corners, scores, count, classes, settings);
    const auto found = MulticlassNms(corners.data(), scores.data(), count, classes, settings);
    ASSERT_EQ(found.size(), expected.size()) << "round " << round;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].label, expected[i].label) << "round " << round;
      EXPECT_EQ(found[i].box, expected[i].box) << "round " << round;
    }
  }
}

TEST(Nms, IgnoresScoresThatAreNotNumbers) {
  const float corners[] = {0, 0, 1, 1};
  const float scores[] = {0.0F, std::nanf("")};
  EXPECT_TRUE(MulticlassNms(corners, scores, 1, 2, NmsSettings{}).empty());
}

TEST(Decode, CentreSize) {
  const float priors[] = {0.5F, 0.4F, 0.2F, 0.1F};
  const float variances[] = {0.1F, 0.1F, 0.2F, 0.2F};
  const float zero[] = {0, 0, 0, 0};
  float corners[4];
  DecodeCenterSize(zero, priors, 1, variances, corners);
  EXPECT_FLOAT_EQ(corners[0], 0.4F);
  EXPECT_FLOAT_EQ(corners[3], 0.45F);
  const float offset[] = {1, -1, std::log(2.0F) / 0.2F, 0};
  DecodeCenterSize(offset, priors, 1, variances, corners);
  EXPECT_NEAR(corners[0], 0.52F - 0.2F, 1e-6F);
  EXPECT_NEAR(corners[2], 0.52F + 0.2F, 1e-6F);
  EXPECT_NEAR(corners[1], 0.39F - 0.05F, 1e-6F);
}

TEST(Decode, SoftmaxOfHugeLogits) {
  const float logits[] = {1000.0F, 1000.0F, -1000.0F};
  float out[3];
  Softmax(logits, 1, 3, out);
  EXPECT_FLOAT_EQ(out[0], 0.5F);
  EXPECT_EQ(out[2], 0.0F);
}

TEST(Resize, SameSizeOnlyNormalises) {
  const uint8_t rgb[] = {0, 10, 20, 255, 128, 64};
  for (const auto kernel : {ResizeKernel::kNearest, ResizeKernel::kBilinear, ResizeKernel::kBicubic,
                            ResizeKernel::kLanczos3, ResizeKernel::kArea}) {
    for (const bool antialias : {false, true}) {
      InputFormat format{2, 1, kernel, antialias, true, {1, 2, 3}, {2, 2, 2}};
      float out[6];
      ResizeInto(rgb, 2, 1, format, out);
      EXPECT_NEAR(out[0], 9.5F, 1e-4F);
      EXPECT_NEAR(out[1], 31.5F, 1e-4F);
      EXPECT_NEAR(out[2], 4.0F, 1e-4F);
      EXPECT_NEAR(out[4], -1.5F, 1e-4F);
      EXPECT_NEAR(out[5], 126.0F, 1e-4F);
    }
  }
}

TEST(Resize, OnePixelFillsEverything) {
  const uint8_t rgb[] = {7, 8, 9};
  for (const bool antialias : {false, true}) {
    InputFormat format{5, 4, ResizeKernel::kLanczos3, antialias, false, {0, 0, 0}, {1, 1, 1}};
    std::vector<float> out(60);
    ResizeInto(rgb, 1, 1, format, out.data());
    for (size_t i = 0; i < 60; ++i) EXPECT_NEAR(out[i], 7.0F + static_cast<float>(i / 20), 1e-4F);
  }
}

}  // namespace
}  // namespace ssd_prune
