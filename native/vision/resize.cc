#include "vision/resize.h"

#include <algorithm>
#include <vector>

#include "vision/resize_taps.h"

namespace ssd_prune {
namespace {

uint8_t FromFixed(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

/// Where colour `c` of RGB goes, and the line that normalises it: value * scale + shift.
struct Plane {
  float* first;
  float scale;
  float shift;
};

Plane PlaneOf(const InputFormat& format, const Place& place, size_t colour, size_t y) {
  const size_t plane = format.bgr ? 2 - colour : colour;
  float* first = place.first + static_cast<ptrdiff_t>(plane) * place.channel + static_cast<ptrdiff_t>(y) * place.row;
  return {first, 1.0F / format.std[plane], -format.mean[plane] / format.std[plane]};
}

/// Writes row y from `colours`, where red, green and blue follow each other; `read` gives a value its final range.
template <typename Value, typename Read>
void WriteRow(const Value* colours, size_t y, const InputFormat& format, const Place& place, Read read) {
  for (size_t colour = 0; colour < 3; ++colour) {
    const Plane plane = PlaneOf(format, place, colour, y);
    const Value* line = colours + colour * format.width;
    if (place.pixel == 1) {
      for (size_t x = 0; x < format.width; ++x) plane.first[x] = read(line[x]) * plane.scale + plane.shift;
    } else {
      float* target = plane.first;
      for (size_t x = 0; x < format.width; ++x, target += place.pixel) {
        *target = read(line[x]) * plane.scale + plane.shift;
      }
    }
  }
}

/// One row across: interleaved pixels become three planes of sums, `start` and the fill's share included.
template <typename Sum, typename Value, typename Read>
void Across(const uint8_t* pixels, const Taps<Sum>& taps, const uint8_t fill[3], Sum start, Value* row, Read read) {
  const size_t width = taps.first.size();
  const size_t* first = taps.first.data();
  const size_t* counts = taps.count.data();
  const Sum* weights = taps.weights.data();
  const Sum* outside = taps.outside.data();
  const Sum filled[3] = {static_cast<Sum>(fill[0]), static_cast<Sum>(fill[1]), static_cast<Sum>(fill[2])};
  for (size_t x = 0; x < width; ++x, weights += taps.width) {
    const uint8_t* pixel = pixels + first[x] * 3;
    const size_t count = counts[x];
    Sum r = start + outside[x] * filled[0];
    Sum g = start + outside[x] * filled[1];
    Sum b = start + outside[x] * filled[2];
    for (size_t k = 0; k < count; ++k, pixel += 3) {
      r += weights[k] * pixel[0];
      g += weights[k] * pixel[1];
      b += weights[k] * pixel[2];
    }
    row[x] = read(r);
    row[width + x] = read(g);
    row[2 * width + x] = read(b);
  }
}

/// The row that one without any picture on it becomes.
template <typename Sum, typename Value, typename Read>
std::vector<Value> FillRow(Taps<Sum> taps, const uint8_t fill[3], Sum start, Read read) {
  taps.Clip(0, 0);
  std::vector<Value> row(3 * taps.first.size());
  Across(nullptr, taps, fill, start, row.data(), read);
  return row;
}

void ResizeWidening(const Canvas& canvas, const InputFormat& format, const Place& place) {
  constexpr int32_t kHalf = 1 << (kFractionBits - 1);
  Taps<int32_t> across = WideningTaps(canvas.width, format.width, format.kernel);
  Taps<int32_t> down = WideningTaps(canvas.height, format.height, format.kernel);
  const std::vector<uint8_t> fill = FillRow<int32_t, uint8_t>(across, canvas.fill, kHalf, FromFixed);
  across.Clip(canvas.left, canvas.covered_width);
  down.Clip(canvas.top, canvas.covered_height);
  // Colours lie in planes from here on, so that the second pass runs along whole rows.
  const size_t pitch = 3 * format.width;
  std::vector<uint8_t> rows(pitch * canvas.covered_height);
  for (size_t y = 0; y < canvas.covered_height; ++y) {
    Across(canvas.row(y), across, canvas.fill, kHalf, rows.data() + y * pitch, FromFixed);
  }
  std::vector<int32_t> sums(pitch);
  const auto add = [sum = sums.data(), pitch](int32_t weight, const uint8_t* row) {
    for (size_t x = 0; x < pitch; ++x) sum[x] += weight * row[x];
  };
  for (size_t y = 0; y < format.height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    if (down.outside[y] != 0) add(down.outside[y], fill.data());
    for (size_t k = 0; k < down.count[y]; ++k) add(down.Weights(y)[k], rows.data() + (down.first[y] + k) * pitch);
    WriteRow(sums.data(), y, format, place, FromFixed);
  }
}

void ResizePlain(const Canvas& canvas, const InputFormat& format, const Place& place) {
  const auto same = [](float value) { return value; };
  Taps<float> across = PlainTaps(canvas.width, format.width, format.kernel);
  Taps<float> down = PlainTaps(canvas.height, format.height, format.kernel);
  const std::vector<float> fill = FillRow<float, float>(across, canvas.fill, 0.0F, same);
  across.Clip(canvas.left, canvas.covered_width);
  down.Clip(canvas.top, canvas.covered_height);
  const size_t pitch = 3 * format.width;
  // Rows that were widened lately, by source row modulo their number: no output row needs more than `down.width`.
  std::vector<float> rows(pitch * down.width);
  std::vector<size_t> held(down.width, canvas.covered_height);
  const auto widened = [&](size_t y) {
    float* row = rows.data() + (y % down.width) * pitch;
    if (held[y % down.width] == y) return row;
    held[y % down.width] = y;
    Across(canvas.row(y), across, canvas.fill, 0.0F, row, same);
    return row;
  };
  std::vector<float> sums(pitch);
  const auto add = [sum = sums.data(), pitch](float weight, const float* row) {
    for (size_t x = 0; x < pitch; ++x) sum[x] += weight * row[x];
  };
  for (size_t y = 0; y < format.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    if (down.outside[y] != 0.0F) add(down.outside[y], fill.data());
    for (size_t k = 0; k < down.count[y]; ++k) add(down.Weights(y)[k], widened(down.first[y] + k));
    WriteRow(sums.data(), y, format, place, same);
  }
}

void ResizeNearest(const Canvas& canvas, const InputFormat& format, const Place& place) {
  const auto source = [](size_t i, size_t in, size_t count) {
    return std::min((2 * i + 1) * in / (2 * count), in - 1);
  };
  std::vector<uint8_t> colours(3 * format.width);
  for (size_t y = 0; y < format.height; ++y) {
    // Places left of or above the picture wrap round to beyond its end.
    const size_t from = source(y, canvas.height, format.height) - canvas.top;
    const uint8_t* pixels = from < canvas.covered_height ? canvas.row(from) : nullptr;
    for (size_t x = 0; x < format.width; ++x) {
      const size_t at = source(x, canvas.width, format.width) - canvas.left;
      const uint8_t* pixel = pixels != nullptr && at < canvas.covered_width ? pixels + 3 * at : canvas.fill;
      for (size_t colour = 0; colour < 3; ++colour) colours[colour * format.width + x] = pixel[colour];
    }
    WriteRow(colours.data(), y, format, place, [](uint8_t value) { return value; });
  }
}

}  // namespace

void ResizeCanvas(const Canvas& canvas, const InputFormat& format, const Place& place) {
  if (format.kernel == ResizeKernel::kNearest) {
    ResizeNearest(canvas, format, place);
  } else if (format.antialias || format.kernel == ResizeKernel::kArea) {
    ResizeWidening(canvas, format, place);
  } else {
    ResizePlain(canvas, format, place);
  }
}

void ResizeInto(const uint8_t* rgb, size_t width, size_t height, const InputFormat& format, float* out) {
  const Canvas canvas{
      .width = width, .height = height, .covered_width = width, .covered_height = height, .row = [=](size_t y) {
        return rgb + y * width * 3;
      }};
  const auto row = static_cast<ptrdiff_t>(format.width);
  ResizeCanvas(canvas, format, {out, 1, row, row * static_cast<ptrdiff_t>(format.height)});
}

}  // namespace ssd_prune
