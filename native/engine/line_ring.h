// The lines of a map that a window needs at the moment, as their readers see them, with zeros beside them.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/kernels.h"

namespace ssd_prune {

/// A pitch of an odd number of cache lines: a window's places then lie in different sets of the first-level cache,
/// where powers of two would have them all meet in one.
inline size_t SpreadPitch(size_t pitch) { return pitch / 16 % 2 == 0 ? pitch + 16 : pitch; }

/// Keeps the last `slots` lines of a map in scratch memory; or, of a map whose readers see what is stored, hands out
/// the map itself, and zeros for what lies beside it. A line is `left` zero places, the map's width, and zeros up to
/// `places`; lines above and below the picture are zero.
class LineRing {
 public:
  struct Shape {
    size_t slots;
    size_t left;
    size_t places;
    size_t pitch;  // from place to place: SpreadPitch, not the tensor's
    size_t floats() const { return (slots + 1) * places * pitch; }
  };

  LineRing(const Kernels& kernels, const Source& source, const Shape& shape, size_t width, size_t height, float* memory)
      : kernels_(kernels), source_(source), shape_(shape), width_(width), height_(height), memory_(memory) {
    const size_t line = shape.places * shape.pitch;
    if (direct()) {
      std::fill_n(memory, line, 0.0f);
      return;
    }
    const size_t right = shape.left + width;
    for (size_t slot = 0; slot < shape.slots; ++slot) {
      std::fill_n(memory + slot * line, shape.left * shape.pitch, 0.0f);
      std::fill_n(memory + slot * line + right * shape.pitch, (shape.places - right) * shape.pitch, 0.0f);
    }
    std::fill_n(memory + shape.slots * line, line, 0.0f);
  }

  /// Reads lines `from` … `to` of picture `image` that are in it and were not read yet. Neither may fall from call to
  /// call within a picture, and they are at most `slots` lines.
  void Hold(size_t image, ptrdiff_t from, ptrdiff_t to) {
    const ptrdiff_t last = std::min(to, static_cast<ptrdiff_t>(height_) - 1);
    if (last < 0 || from > last) return;
    next_ = std::max(next_, image * height_ + static_cast<size_t>(std::max<ptrdiff_t>(from, 0)));
    if (direct()) next_ = std::max(next_, image * height_ + static_cast<size_t>(last) + 1);
    for (; next_ <= image * height_ + static_cast<size_t>(last); ++next_) {
      float* at = memory_ + (next_ % shape_.slots * shape_.places + shape_.left) * shape_.pitch;
      kernels_.read_rows(source_, next_ * width_, width_, 0, source_.numbers(), at, shape_.pitch);
    }
  }

  /// The line, counted over all pictures, that is read next.
  size_t next() const { return next_; }

  /// Whether the map itself, of float32, is handed out: then a run of places must lie in it whole, or outside of it.
  /// Not at pitches whose places would all lie in a few sets of the first-level cache.
  bool direct() const { return source_.scale == nullptr && !source_.half && source_.pitch % 512 != 0; }
  /// From place to place.
  size_t pitch() const { return direct() ? source_.pitch : shape_.pitch; }

  /// Place `x` of line `y` of picture `image`, a line that is held or outside.
  const float* At(size_t image, ptrdiff_t y, ptrdiff_t x) const {
    const bool inside = y >= 0 && y < static_cast<ptrdiff_t>(height_);
    const size_t line = image * height_ + static_cast<size_t>(y);
    if (direct()) {
      const bool there = inside && x >= 0 && x < static_cast<ptrdiff_t>(width_);
      return there ? source_.x + (line * width_ + static_cast<size_t>(x)) * source_.pitch : memory_;
    }
    const size_t slot = inside ? line % shape_.slots : shape_.slots;
    const size_t place = static_cast<size_t>(static_cast<ptrdiff_t>(shape_.left) + x);
    return memory_ + (slot * shape_.places + place) * shape_.pitch;
  }

 private:
  const Kernels& kernels_;
  const Source& source_;
  const Shape shape_;
  const size_t width_;
  const size_t height_;
  float* const memory_;
  size_t next_ = 0;  // first line, counted over all pictures, that was not read yet
};

}  // namespace ssd_prune
