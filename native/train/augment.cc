#include "train/augment.h"

#include <algorithm>
#include <vector>

namespace ssd_prune {
namespace {

/// What a stretch of the picture (at `at` on the canvas) and a stretch of the canvas have in common.
struct Common {
  size_t from_picture;  // its begin, counted in the picture
  size_t from_crop;     // and in the crop
  size_t size;
};

Common InCommon(size_t at, size_t size, size_t crop, size_t crop_size) {
  const size_t begin = std::max(at, crop);
  const size_t end = std::min(at + size, crop + crop_size);
  if (end <= begin) return {0, 0, 0};
  return {begin - at, begin - crop, end - begin};
}

}  // namespace

void AugmentInto(const uint8_t* rgb, size_t width, size_t height, const Augmentation& augmentation,
                 const InputFormat& format, const Place& place) {
  const Augmentation& a = augmentation;
  const Common across = InCommon(a.left, width, a.crop_left, a.crop_width);
  const Common down = InCommon(a.top, height, a.crop_top, a.crop_height);
  const Distortion distortion(a.colours, rgb, width, height);
  // Rows are distorted when they are first asked for: a kernel that doesn't widen may leave some out.
  const size_t pitch = 3 * across.size;
  std::vector<uint8_t> distorted(distortion.Active() ? pitch * down.size : 0);
  std::vector<char> done(down.size, 0);
  const auto row_of = [&](size_t y) -> const uint8_t* {
    const uint8_t* row = rgb + ((down.from_picture + y) * width + across.from_picture) * 3;
    if (!distortion.Active()) return row;
    uint8_t* out = distorted.data() + y * pitch;
    if (!done[y]) distortion.Apply(row, across.size, out);
    done[y] = 1;
    return out;
  };
  const Canvas canvas{.width = a.crop_width,
                      .height = a.crop_height,
                      .left = across.from_crop,
                      .top = down.from_crop,
                      .covered_width = across.size,
                      .covered_height = down.size,
                      .fill = {a.fill[0], a.fill[1], a.fill[2]},
                      .row = row_of};
  Place target = place;
  if (a.mirror) {
    target.first += (static_cast<ptrdiff_t>(format.width) - 1) * place.pixel;
    target.pixel = -place.pixel;
  }
  ResizeCanvas(canvas, format, target);
}

}  // namespace ssd_prune
