#include "train/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "record.h"

namespace ssd_prune {
namespace {

constexpr size_t kWidth = 40;
constexpr size_t kHeight = 30;

ColourShift ShiftAt(const std::vector<float>& shifts, size_t i) {
  const float* row = shifts.data() + 5 * i;
  return {row[0], row[1], row[2], row[3], row[4] != 0.0F};
}

TEST(Distortion, IsPillowsToTheLastBit) {
  const Record record("pictures.txt");
  const std::vector<uint8_t> source = record.Bytes("source");
  const std::vector<float> shifts = record.Floats("shifts");
  ASSERT_EQ(shifts.size(), 55U);
  for (size_t i = 0; i < shifts.size() / 5; ++i) {
    const Distortion distortion(ShiftAt(shifts, i), source.data(), kWidth, kHeight);
    EXPECT_TRUE(distortion.Active());
    std::vector<uint8_t> out(source.size());
    distortion.Apply(source.data(), kWidth * kHeight, out.data());
    EXPECT_EQ(out, record.Bytes("shift." + std::to_string(i))) << "shift " << i;
  }
}

TEST(Distortion, NothingAskedForIsNothingDone) {
  const std::vector<uint8_t> source = Record("pictures.txt").Bytes("source");
  const Distortion distortion({}, source.data(), kWidth, kHeight);
  EXPECT_FALSE(distortion.Active());
  std::vector<uint8_t> out(source.size());
  distortion.Apply(source.data(), kWidth * kHeight, out.data());
  EXPECT_EQ(out, source);
}

TEST(Distortion, HsvIsPillows) {
  const Record record("pictures.txt");
  const std::vector<uint8_t> colours = record.Bytes("rgb");
  const std::vector<uint8_t> hsv = record.Bytes("rgb.hsv");
  const std::vector<uint8_t> rgb = record.Bytes("hsv.rgb");
  for (size_t i = 0; i < colours.size(); i += 3) {
    uint8_t out[3];
    RgbToHsv(colours.data() + i, out);
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(out[c], hsv[i + c]) << "colour " << i / 3;
    HsvToRgb(colours.data() + i, out);
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(out[c], rgb[i + c]) << "colour " << i / 3;
  }
}

Augmentation CropAt(const std::vector<int32_t>& crops, const std::vector<float>& shifts, size_t i) {
  std::vector<size_t> row;
  for (size_t k = 0; k < 8; ++k) row.push_back(static_cast<size_t>(crops[10 * i + k]));
  const int32_t shift = crops[10 * i + 9];
  Augmentation a{.left = row[2],
                 .top = row[3],
                 .crop_left = row[4],
                 .crop_top = row[5],
                 .crop_width = row[6],
                 .crop_height = row[7],
                 .fill = {127, 120, 110},
                 .mirror = crops[10 * i + 8] != 0};
  if (shift >= 0) a.colours = ShiftAt(shifts, static_cast<size_t>(shift));
  return a;
}

/// Interleaved output without normalising, whatever the layout asked for.
std::vector<float> Output(const std::vector<uint8_t>& source, const Augmentation& a, ResizeKernel kernel,
                          bool antialias) {
  const InputFormat format{.width = 24, .height = 20, .kernel = kernel, .antialias = antialias};
  std::vector<float> out(24 * 20 * 3, NAN);
  AugmentInto(source.data(), kWidth, kHeight, a, format, {out.data(), 3, 72, 1});
  return out;
}

TEST(Augment, CropsOfCanvasesAreTheRecordedOnes) {
  const Record record("pictures.txt");
  const std::vector<uint8_t> source = record.Bytes("source");
  const std::vector<int32_t> crops = record.Ints("crops");
  const std::vector<float> shifts = record.Floats("shifts");
  for (size_t i = 0; i < crops.size() / 10; ++i) {
    SCOPED_TRACE("crop " + std::to_string(i));
    const std::string name = "crop." + std::to_string(i);
    const Augmentation a = CropAt(crops, shifts, i);
    const std::vector<uint8_t> lanczos = record.Bytes(name + ".lanczos");
    const std::vector<float> sharp = Output(source, a, ResizeKernel::kLanczos3, true);
    for (size_t k = 0; k < sharp.size(); ++k) ASSERT_NEAR(sharp[k], lanczos[k], 1e-4) << k;
    const std::vector<float> bilinear = record.Floats(name + ".bilinear");
    const std::vector<float> plain = Output(source, a, ResizeKernel::kBilinear, false);
    for (size_t k = 0; k < plain.size(); ++k) ASSERT_NEAR(plain[k], bilinear[k], 1e-3) << k;
  }
}

TEST(Augment, NearestTakesTheFillOutsideThePicture) {
  // A picture of one pixel in the middle of a canvas of 3x3, seen as it is.
  const uint8_t pixel[] = {1, 2, 3};
  const Augmentation a{.left = 1, .top = 1, .crop_width = 3, .crop_height = 3, .fill = {7, 8, 9}};
  const InputFormat format{.width = 3, .height = 3, .kernel = ResizeKernel::kNearest};
  std::vector<float> out(27);
  AugmentInto(pixel, 1, 1, a, format, {out.data(), 3, 9, 1});
  for (size_t i = 0; i < 27; ++i) EXPECT_EQ(out[i], static_cast<float>(i % 3 + (i / 3 == 4 ? 1 : 7)));
}

TEST(Augment, CropWithoutThePictureIsAllFill) {
  const std::vector<uint8_t> source = Record("pictures.txt").Bytes("source");
  const Augmentation a{.left = 50, .top = 0, .crop_left = 2, .crop_top = 40, .crop_width = 9, .crop_height = 9};
  for (const auto kernel : {ResizeKernel::kNearest, ResizeKernel::kBilinear, ResizeKernel::kLanczos3}) {
    for (const bool antialias : {false, true}) {
      for (const float value : Output(source, a, kernel, antialias)) EXPECT_NEAR(value, 127.0F, 1e-4F);
    }
  }
}

TEST(Augment, LayoutsHoldTheSameValuesAndNothingElseIsTouched) {
  const Record record("pictures.txt");
  const std::vector<uint8_t> source = record.Bytes("source");
  const Augmentation a = CropAt(record.Ints("crops"), record.Floats("shifts"), 3);
  const InputFormat format{.width = 24,
                           .height = 20,
                           .kernel = ResizeKernel::kBilinear,
                           .bgr = true,
                           .mean = {10, 20, 30},
                           .std = {2, 4, 8}};
  std::vector<float> planar(3 * 480);
  std::vector<float> pitched(16 * 480, -1.0F);
  AugmentInto(source.data(), kWidth, kHeight, a, format, {planar.data(), 1, 24, 480});
  AugmentInto(source.data(), kWidth, kHeight, a, format, {pitched.data(), 16, 16 * 24, 1});
  const std::vector<float> rgb = Output(source, a, ResizeKernel::kBilinear, false);
  for (size_t i = 0; i < 480; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(planar[c * 480 + i], pitched[i * 16 + c]);
      EXPECT_NEAR(planar[c * 480 + i], (rgb[3 * i + 2 - c] - format.mean[c]) / format.std[c], 1e-4F);
    }
    for (size_t c = 3; c < 16; ++c) EXPECT_EQ(pitched[i * 16 + c], -1.0F);
  }
}

}  // namespace
}  // namespace ssd_prune
