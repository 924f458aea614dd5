#include "vision/resize.h"

#include <algorithm>
#include <vector>

#include "vision/resize_taps.h"

namespace ssd_prune {
namespace {

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

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

/// One row across with widened kernels: interleaved pixels become three planes. `outside` is what each place's taps
/// beyond the pixels weigh.
void WidenAcross(const uint8_t* pixels, const Taps<int32_t>& taps, const int32_t* outside, const uint8_t fill[3],
                 uint8_t* row) {
  const size_t width = taps.first.size();
  const size_t* first = taps.first.data();
  const size_t* counts = taps.count.data();
  const int32_t* weights = taps.weights.data();
  for (size_t x = 0; x < width; ++x, weights += taps.width) {
    const uint8_t* pixel = pixels + first[x] * 3;
    const size_t count = counts[x];
    int32_t r = kHalf + outside[x] * fill[0];
    int32_t g = kHalf + outside[x] * fill[1];
    int32_t b = kHalf + outside[x] * fill[2];
    for (size_t k = 0; k < count; ++k, pixel += 3) {
      r += weights[k] * pixel[0];
      g += weights[k] * pixel[1];
      b += weights[k] * pixel[2];
    }
    row[x] = FromFixed(r);
    row[width + x] = FromFixed(g);
    row[2 * width + x] = FromFixed(b);
  }
}

void ResizeWidening(const Canvas& canvas, const InputFormat& format, const Place& place) {
  Taps<int32_t> across = WideningTaps(canvas.width, format.width, format.kernel);
  Taps<int32_t> down = WideningTaps(canvas.height, format.height, format.kernel);
  const std::vector<int32_t> outside = ClipTaps(across, canvas.left, canvas.covered_width);
  const std::vector<int32_t> beyond = ClipTaps(down, canvas.top, canvas.covered_height);
  // Colours lie in planes from here on, so that the second pass runs along whole rows. The last row is what one without
  // any picture on it becomes.
  const size_t pitch = 3 * format.width;
  std::vector<uint8_t> rows(pitch * (canvas.covered_height + 1));
  for (size_t y = 0; y < canvas.covered_height; ++y) {
    WidenAcross(canvas.row(y), across, outside.data(), canvas.fill, rows.data() + y * pitch);
  }
  uint8_t* fill = rows.data() + canvas.covered_height * pitch;
  for (size_t x = 0; x < pitch; ++x) fill[x] = canvas.fill[x / format.width];

  std::vector<int32_t> sums(pitch);
  const auto add = [sum = sums.data(), pitch](int32_t weight, const uint8_t* row) {
    for (size_t x = 0; x < pitch; ++x) sum[x] += weight * row[x];
  };
  for (size_t y = 0; y < format.height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    if (beyond[y] != 0) add(beyond[y], fill);
    for (size_t k = 0; k < down.count[y]; ++k) add(down.Weights(y)[k], rows.data() + (down.first[y] + k) * pitch);
    WriteRow(sums.data(), y, format, place, FromFixed);
  }
}

/// The second pass of ResizePlain over one row of interleaved colours; kTaps 0: as many as `taps` says.
template <size_t kTaps>
void MixAcross(const float* row, const Taps<float>& taps, size_t count, const Plane planes[3], ptrdiff_t step) {
  const size_t width = kTaps > 0 ? kTaps : taps.width;
  ptrdiff_t at = 0;
  for (size_t x = 0; x < count; ++x, at += step) {
    const float* weights = taps.weights.data() + x * width;
    const float* pixel = row + taps.first[x] * 3;
    float r = 0.0F;
    float g = 0.0F;
    float b = 0.0F;
    for (size_t k = 0; k < width; ++k, pixel += 3) {
      r += weights[k] * pixel[0];
      g += weights[k] * pixel[1];
      b += weights[k] * pixel[2];
    }
    planes[0].first[at] = r * planes[0].scale + planes[0].shift;
    planes[1].first[at] = g * planes[1].scale + planes[1].shift;
    planes[2].first[at] = b * planes[2].scale + planes[2].shift;
  }
}

void ResizePlain(const Canvas& canvas, const InputFormat& format, const Place& place) {
  const Taps<float> across = PlainTaps(canvas.width, format.width, format.kernel);
  const Taps<float> down = PlainTaps(canvas.height, format.height, format.kernel);
  const auto mix = across.width == 2 ? MixAcross<2> : across.width == 4 ? MixAcross<4> : MixAcross<0>;
  // Rows are mixed first, as they lie: that runs along whole lines, and only rows that are needed are touched. What is
  // beside the picture stays as it is all the time.
  std::vector<float> row(3 * canvas.width);
  for (size_t x = 0; x < row.size(); ++x) row[x] = canvas.fill[x % 3];
  const size_t pitch = 3 * canvas.covered_width;
  std::vector<uint8_t> fill(pitch);
  for (size_t x = 0; x < pitch; ++x) fill[x] = canvas.fill[x % 3];
  const auto source = [&](size_t y) {
    return y - canvas.top < canvas.covered_height ? canvas.row(y - canvas.top) : fill.data();
  };
  float* const covered = row.data() + 3 * canvas.left;
  for (size_t y = 0; y < format.height; ++y) {
    const float* weights = down.Weights(y);
    const uint8_t* line = source(down.first[y]);
    for (size_t x = 0; x < pitch; ++x) covered[x] = weights[0] * line[x];
    for (size_t k = 1; k < down.width; ++k) {
      line = source(down.first[y] + k);
      for (size_t x = 0; x < pitch; ++x) covered[x] += weights[k] * line[x];
    }
    const Plane planes[] = {PlaneOf(format, place, 0, y), PlaneOf(format, place, 1, y), PlaneOf(format, place, 2, y)};
    mix(row.data(), across, format.width, planes, place.pixel);
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
