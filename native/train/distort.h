// Changes of colour as Pillow makes them (ImageEnhance and its 8-bit HSV), one row at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ssd_prune {

/// What is done to a picture's colours: brightness, contrast, saturation, hue, or contrast last.
struct ColourShift {
  /// Factors as ImageEnhance takes them; 1 does nothing.
  float brightness = 1.0F;
  float contrast = 1.0F;
  float saturation = 1.0F;
  /// Added to the hue, which runs from 0 to 255 and round; cut to a whole number afterwards. 0 does nothing.
  float hue = 0.0F;
  bool contrast_last = false;
};

class Distortion {
 public:
  /// For one picture (height, width, 3). Contrast draws towards the picture's mean grey, so where it is asked for the
  /// whole picture is read.
  Distortion(const ColourShift& shift, const uint8_t* rgb, size_t width, size_t height);

  /// Whether anything is done at all.
  bool Active() const { return active_; }

  /// `count` pixels of the picture from `in` to `out`; they may be the same.
  void Apply(const uint8_t* in, size_t count, uint8_t* out) const;

 private:
  using Table = std::array<uint8_t, 256>;

  void SaturationAndHue(const uint8_t* in, size_t count, uint8_t* out) const;

  ColourShift shift_;
  bool active_;
  bool saturates_;
  bool turns_;
  Table before_;  // brightness, and contrast unless it comes last
  Table after_;   // contrast where it comes last
  Table hue_;
};

/// Pillow's conversions, bit by bit.
void RgbToHsv(const uint8_t rgb[3], uint8_t hsv[3]);
void HsvToRgb(const uint8_t hsv[3], uint8_t rgb[3]);

}  // namespace ssd_prune
