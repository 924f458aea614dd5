#include "train/distort.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ssd_prune {
namespace {

/// Pillow's blend: from a towards b by `factor`, cut off (not rounded) to 8 bits.
uint8_t Blend(int a, int b, float factor) {
  const float value = static_cast<float>(a) + factor * static_cast<float>(b - a);
  if (value <= 0.0F) return 0;
  if (value >= 255.0F) return 255;
  return static_cast<uint8_t>(value);
}

/// Pillow's grey: ITU-R 601-2 luma in 16-bit fixed point.
uint8_t Grey(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
}

/// Sixth of the circle that a hue lies in, and how far; 255 is the begin again.
struct Hue {
  int sector;
  float rest;
};

constexpr auto kHues = [] {
  std::array<Hue, 256> hues{};
  for (size_t h = 0; h < 256; ++h) {
    const auto turn = static_cast<float>(static_cast<double>(static_cast<float>(h) * 6.0F) / 255.0);
    const int sector = static_cast<int>(turn);
    hues[h] = {sector % 6, turn - static_cast<float>(sector)};
  }
  return hues;
}();

constexpr auto kShares = [] {
  std::array<float, 256> shares{};
  for (size_t s = 0; s < 256; ++s) shares[s] = static_cast<float>(static_cast<double>(s) / 255.0);
  return shares;
}();

}  // namespace

Distortion::Distortion(const ColourShift& shift, const uint8_t* rgb, size_t width, size_t height)
    : shift_(shift), saturates_(shift.saturation != 1.0F), turns_(shift.hue != 0.0F) {
  active_ = shift.brightness != 1.0F || shift.contrast != 1.0F || saturates_ || turns_;
  for (int v = 0; v < 256; ++v) {
    before_[static_cast<size_t>(v)] =
        shift.brightness == 1.0F ? static_cast<uint8_t>(v) : Blend(0, v, shift.brightness);
    after_[static_cast<size_t>(v)] = static_cast<uint8_t>(v);
    // Cut towards zero, then round the circle.
    hue_[static_cast<size_t>(v)] = static_cast<uint8_t>(static_cast<int>(static_cast<float>(v) + shift.hue));
  }
  if (shift.contrast == 1.0F) return;
  uint64_t sum = 0;
  std::vector<uint8_t> row(3 * width);
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* in = rgb + y * width * 3;
    if (shift.contrast_last) {
      Apply(in, width, row.data());
    } else {
      for (size_t i = 0; i < 3 * width; ++i) row[i] = before_[in[i]];
    }
    uint32_t row_sum = 0;
    for (size_t x = 0; x < width; ++x) row_sum += Grey(row.data() + 3 * x);
    sum += row_sum;
  }
  const auto mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(width * height) + 0.5);
  Table& table = shift.contrast_last ? after_ : before_;
  for (uint8_t& value : table) value = Blend(mean, value, shift.contrast);
}

void Distortion::Apply(const uint8_t* in, size_t count, uint8_t* out) const {
  for (size_t i = 0; i < 3 * count; ++i) out[i] = before_[in[i]];
  if (saturates_ || turns_) SaturationAndHue(out, count, out);
  if (shift_.contrast_last && shift_.contrast != 1.0F) {
    for (size_t i = 0; i < 3 * count; ++i) out[i] = after_[out[i]];
  }
}

void Distortion::SaturationAndHue(const uint8_t* in, size_t count, uint8_t* out) const {
  for (size_t i = 0; i < count; ++i, in += 3, out += 3) {
    uint8_t pixel[3] = {in[0], in[1], in[2]};
    if (saturates_) {
      const int grey = Grey(in);
      for (uint8_t& value : pixel) value = Blend(grey, value, shift_.saturation);
    }
    if (turns_) {
      uint8_t hsv[3];
      RgbToHsv(pixel, hsv);
      hsv[0] = hue_[hsv[0]];
      HsvToRgb(hsv, pixel);
    }
    std::copy(pixel, pixel + 3, out);
  }
}

void RgbToHsv(const uint8_t rgb[3], uint8_t hsv[3]) {
  const int r = rgb[0];
  const int g = rgb[1];
  const int b = rgb[2];
  const int high = std::max(r, std::max(g, b));
  const int low = std::min(r, std::min(g, b));
  hsv[2] = static_cast<uint8_t>(high);
  if (high == low) {
    hsv[0] = 0;
    hsv[1] = 0;
    return;
  }
  // float32 and float64 where Pillow has them: results are cut off, so the last bit shows.
  const auto range = static_cast<float>(high - low);
  const float saturation = range / static_cast<float>(high);
  const float rc = static_cast<float>(high - r) / range;
  const float gc = static_cast<float>(high - g) / range;
  const float bc = static_cast<float>(high - b) / range;
  float hue;
  if (r == high) {
    hue = bc - gc;
  } else if (g == high) {
    hue = static_cast<float>(2.0 + static_cast<double>(rc) - static_cast<double>(bc));
  } else {
    hue = static_cast<float>(4.0 + static_cast<double>(gc) - static_cast<double>(rc));
  }
  const double turn = static_cast<double>(hue) / 6.0 + 1.0;
  hue = static_cast<float>(turn >= 1.0 ? turn - 1.0 : turn);
  hsv[0] = static_cast<uint8_t>(static_cast<double>(hue) * 255.0);
  hsv[1] = static_cast<uint8_t>(static_cast<double>(saturation) * 255.0);
}

void HsvToRgb(const uint8_t hsv[3], uint8_t rgb[3]) {
  const uint8_t value = hsv[2];
  if (hsv[1] == 0) {
    rgb[0] = rgb[1] = rgb[2] = value;
    return;
  }
  const double v = value;
  const auto [sector, f] = kHues[hsv[0]];
  const float fs = kShares[hsv[1]];
  // What is rounded is never negative.
  const auto round = [](double x) { return static_cast<uint8_t>(std::min(static_cast<int>(x + 0.5), 255)); };
  const uint8_t low = round(v * (1.0 - static_cast<double>(fs)));
  // In even sectors the middle colour rises with the hue, in odd ones it falls.
  const bool rises = sector % 2 == 0;
  const double fall = rises ? static_cast<double>(fs) * (1.0 - static_cast<double>(f)) : static_cast<double>(fs * f);
  const uint8_t middle = round(v * (1.0 - fall));
  const uint8_t first = rises ? value : middle;
  const uint8_t second = rises ? middle : value;
  switch (sector / 2) {
    case 0:
      rgb[0] = first, rgb[1] = second, rgb[2] = low;
      break;
    case 1:
      rgb[0] = low, rgb[1] = first, rgb[2] = second;
      break;
    default:
      rgb[0] = second, rgb[1] = low, rgb[2] = first;
  }
}

}  // namespace ssd_prune
