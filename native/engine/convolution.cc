#include "engine/convolution.h"

#include <algorithm>
#include <cstring>

#include "engine/ahead.h"
#include "engine/panels.h"

namespace ssd_prune {
namespace {

/// Floats of a kernel row of a picture: 3 places of up to 5 channels.
constexpr size_t kShort = 16;

ptrdiff_t Signed(size_t value) { return static_cast<ptrdiff_t>(value); }

/// A panel from rows of weights: out[i][j] = rows[j][i], zero from `count` rows on. Four rows at a time, so that what
/// is written lies together.
void Interleave(const float* rows, size_t pitch, size_t count, size_t length, size_t panel, float* out) {
  size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    const float* first = rows + j * pitch;
    for (size_t i = 0; i < length; ++i) {
      float* at = out + i * panel + j;
      at[0] = first[i];
      at[1] = first[pitch + i];
      at[2] = first[2 * pitch + i];
      at[3] = first[3 * pitch + i];
    }
  }
  for (; j < count; ++j) {
    for (size_t i = 0; i < length; ++i) out[i * panel + j] = rows[j * pitch + i];
  }
  for (size_t i = 0; count < panel && i < length; ++i) std::fill(out + i * panel + count, out + (i + 1) * panel, 0.0f);
}

}  // namespace

Convolution::Convolution(const Window& window, int groups, int weight, Tensor* in_tensor, Tensor* out)
    : kernel_h_(static_cast<size_t>(window.kernel[0])),
      kernel_w_(static_cast<size_t>(window.kernel[1])),
      stride_h_(static_cast<size_t>(window.stride[0])),
      stride_w_(static_cast<size_t>(window.stride[1])),
      dilation_h_(static_cast<size_t>(window.dilation[0])),
      dilation_w_(static_cast<size_t>(window.dilation[1])),
      pad_h_(window.pad[0]),
      pad_w_(window.pad[1]),
      groups_(static_cast<size_t>(groups)),
      weight_(weight) {
  inputs = {in_tensor};
  output = out;
  pointwise_ = Taps() == 1 && stride_h_ == 1 && stride_w_ == 1 && pad_h_ == 0 && pad_w_ == 0 &&
               in().height == out->height && in().width == out->width && in().pitch >= in().channels &&
               in().pitch % 16 == 0;
  for (size_t ry = 0; ry < stride_h_; ++ry) {
    for (size_t rx = 0; rx < stride_w_; ++rx) {
      PlaceClass places{};
      places.first_y =
          static_cast<size_t>(((Signed(ry) - pad_h_) % Signed(stride_h_) + Signed(stride_h_)) % Signed(stride_h_));
      places.first_x =
          static_cast<size_t>(((Signed(rx) - pad_w_) % Signed(stride_w_) + Signed(stride_w_)) % Signed(stride_w_));
      if (places.first_y >= in().height || places.first_x >= in().width) continue;
      places.count_y = (in().height - places.first_y + stride_h_ - 1) / stride_h_;
      places.count_x = (in().width - places.first_x + stride_w_ - 1) / stride_w_;
      for (size_t tap = 0; tap < Taps(); ++tap) {
        const bool hit_y = (tap / kernel_w_ * dilation_h_) % stride_h_ == ry;
        const bool hit_x = (tap % kernel_w_ * dilation_w_) % stride_w_ == rx;
        if (hit_y && hit_x) places.taps.push_back(tap);
      }
      classes_.push_back(std::move(places));
    }
  }
}

void Convolution::Advance(size_t& x, size_t& y, size_t& image, size_t width, size_t height) {
  if (++x < width) return;
  x = 0;
  if (++y < height) return;
  y = 0;
  ++image;
}

Convolution::Place Convolution::OutputPlace(size_t row) const {
  const size_t map = output->height * output->width;
  return {row / map, row % map / output->width, row % output->width};
}

ptrdiff_t Convolution::InputRow(const Place& place, size_t tap) const {
  const ptrdiff_t y = Signed(place.y * stride_h_ + tap / kernel_w_ * dilation_h_) - pad_h_;
  const ptrdiff_t x = Signed(place.x * stride_w_ + tap % kernel_w_ * dilation_w_) - pad_w_;
  if (y < 0 || x < 0 || y >= Signed(in().height) || x >= Signed(in().width)) return -1;
  return (Signed(place.image * in().height) + y) * Signed(in().width) + x;
}

ptrdiff_t Convolution::OutputRow(const Place& place, size_t tap) const {
  // Places of a class and its taps divide by the stride.
  const ptrdiff_t y = (Signed(place.y) + pad_h_ - Signed(tap / kernel_w_ * dilation_h_)) / Signed(stride_h_);
  const ptrdiff_t x = (Signed(place.x) + pad_w_ - Signed(tap % kernel_w_ * dilation_w_)) / Signed(stride_w_);
  if (Signed(place.y) + pad_h_ < Signed(tap / kernel_w_ * dilation_h_)) return -1;
  if (Signed(place.x) + pad_w_ < Signed(tap % kernel_w_ * dilation_w_)) return -1;
  if (y >= Signed(output->height) || x >= Signed(output->width)) return -1;
  return (Signed(place.image * output->height) + y) * Signed(output->width) + x;
}

float Convolution::WeightAt(const float* weight, size_t out, size_t tap, size_t in_channel) const {
  const size_t group_inputs = in().channels / groups_;
  const size_t group = out / (output->channels / groups_);
  if (in_channel / group_inputs != group) return 0;
  return weight[(out * group_inputs + in_channel % group_inputs) * Taps() + tap];
}

size_t Convolution::ScratchFloats(const Kernels&) const {
  const size_t block = kBlockRows * kPackPitch;
  const size_t widest = std::max(in().pitch, output->pitch);
  const size_t products = block + kBlockRows * (widest + kSpread);
  const size_t out_blocks = (output->channels + kPackColumns - 1) / kPackColumns;
  return products + out_blocks * block;
}

size_t Convolution::PackedFloats(const Kernels& kernels) const {
  size_t backward = 0;
  for (const PlaceClass& places : classes_) backward += BackwardPanels(places, kernels).floats();
  return std::max(Panels(Depth(), output->pitch, kernels).floats(), backward);
}

double Convolution::Macs() const { return static_cast<double>(output->rows() * output->channels * Depth() / groups_); }

Panels Convolution::BackwardPanels(const PlaceClass& places, const Kernels& kernels) const {
  return {places.taps.size() * output->channels, PitchOf(in().channels), kernels};
}

/// Calls body(block, column, out) for every panel, on all threads: `out` is its place in `packed`, or scratch that is
/// then folded into it.
template <typename Body>
void Convolution::PackPanels(const Step& step, const Panels& panels, float* packed, const Body& body) {
  const Kernels& kernels = step.team.kernels;
  step.team.For(panels.blocks() * panels.panels(), [&](size_t slice, float* scratch) {
    const size_t block = slice / panels.panels();
    const size_t column = slice % panels.panels() * panels.panel;
    float* place = packed + panels.BlockOffset(block) + panels.PanelOffset(block, column);
    if (kernels.fold_columns == nullptr) return body(block, column, place);
    body(block, column, scratch);
    kernels.fold_columns(scratch, panels.panel, panels.BlockSize(block), panels.panel, place, panels.panel);
  });
}

void Convolution::PackForward(const Step& step) {
  const Panels panels(Depth(), output->pitch, step.team.kernels);
  const float* weight = step.Weight(weight_);
  const size_t inputs_each = in().channels;
  PackPanels(step, panels, step.packed, [&](size_t block, size_t column, float* out) {
    const size_t begin = panels.BlockBegin(block);
    const size_t size = panels.BlockSize(block);
    if (Taps() == 1 && groups_ == 1) {
      const size_t channels = std::min(panels.panel, output->channels - std::min(column, output->channels));
      return Interleave(weight + column * inputs_each + begin, inputs_each, channels, size, panels.panel, out);
    }
    for (size_t j = 0; j < panels.panel; ++j) {
      const size_t channel = column + j;
      if (channel >= output->channels) {
        for (size_t i = 0; i < size; ++i) out[i * panels.panel + j] = 0;
      } else {
        const float* row = weight + channel * inputs_each * Taps();
        size_t tap = begin / inputs_each;
        size_t input = begin % inputs_each;
        for (size_t i = 0; i < size; ++i) {
          out[i * panels.panel + j] = groups_ == 1 ? row[input * Taps() + tap] : WeightAt(weight, channel, tap, input);
          if (++input == inputs_each) input = 0, ++tap;
        }
      }
    }
  });
}

void Convolution::PackBackward(const Step& step) {
  const float* weight = step.Weight(weight_);
  float* packed = step.packed;
  for (const PlaceClass& places : classes_) {
    const Panels panels = BackwardPanels(places, step.team.kernels);
    PackPanels(step, panels, packed, [&](size_t block, size_t column, float* out) {
      const size_t count = std::min(panels.panel, in().channels - std::min(column, in().channels));
      for (size_t i = 0; i < panels.BlockSize(block); ++i) {
        const size_t channel = (panels.BlockBegin(block) + i) % output->channels;
        const size_t tap = places.taps[(panels.BlockBegin(block) + i) / output->channels];
        float* row = out + i * panels.panel;
        if (groups_ == 1) {
          const float* from = weight + (channel * in().channels + column) * Taps() + tap;
          if (Taps() == 1) {
            std::copy_n(from, count, row);
          } else {
            for (size_t j = 0; j < count; ++j) row[j] = from[j * Taps()];
          }
        } else {
          for (size_t j = 0; j < count; ++j) row[j] = WeightAt(weight, channel, tap, column + j);
        }
        std::fill(row + count, row + panels.panel, 0.0f);
      }
    });
    packed += panels.floats();
  }
}

void Convolution::GatherDense(const Source& view, const Place& place, size_t from, size_t count, float* row) const {
  // A picture without padded channels: the taps of a kernel row lie side by side.
  const ptrdiff_t channels = Signed(in().channels);
  const ptrdiff_t length = Signed(kernel_w_) * channels;
  const ptrdiff_t first = (Signed(place.x * stride_w_) - pad_w_) * channels;
  for (size_t done = 0; done < count;) {
    const size_t ky = (from + done) / static_cast<size_t>(length);
    const ptrdiff_t offset = Signed((from + done) % static_cast<size_t>(length));
    const size_t here = std::min(count - done, static_cast<size_t>(length - offset));
    const ptrdiff_t y = Signed(place.y * stride_h_ + ky * dilation_h_) - pad_h_;
    const float* line = view.x + (Signed(place.image * in().height) + y) * Signed(in().width) * channels;
    if (y < 0 || y >= Signed(in().height)) {
      std::fill_n(row + done, here, 0.0f);
    } else if (first + offset >= 0 && first + offset + Signed(here) <= Signed(in().width) * channels) {
      // A fixed size compiles to a few moves; what is too much is overwritten by the next kernel row.
      if (here <= kShort) {
        std::memcpy(row + done, line + first + offset, kShort * sizeof(float));
      } else {
        std::memcpy(row + done, line + first + offset, here * sizeof(float));
      }
    } else {
      for (size_t i = 0; i < here; ++i) {
        const ptrdiff_t at = first + offset + Signed(i);
        row[done + i] = at >= 0 && at < Signed(in().width) * channels ? line[at] : 0;
      }
    }
    done += here;
  }
}

size_t Convolution::InnerPlaces(const Place& place) const {
  const ptrdiff_t first = Signed(place.x * stride_w_) - pad_w_;
  const ptrdiff_t last = Signed(in().width) - Signed(kernel_w_);
  if (first < 0 || first > last) return 0;
  return std::min(static_cast<size_t>(last - first) / stride_w_ + 1, output->width - place.x);
}

void Convolution::GatherInner(const Step& step, const Source& view, const Place& place, size_t places,
                              float* out) const {
  const size_t length = kernel_w_ * in().channels;
  const ptrdiff_t first = (Signed(place.x * stride_w_) - pad_w_) * Signed(in().channels);
  // In order: reading writes whole registers, and the next kernel row overwrites what is too much.
  for (size_t ky = 0; ky < kernel_h_; ++ky) {
    const ptrdiff_t y = Signed(place.y * stride_h_ + ky * dilation_h_) - pad_h_;
    float* at = out + ky * length;
    if (y < 0 || y >= Signed(in().height)) {
      for (size_t r = 0; r < places; ++r) std::fill_n(at + r * kPackPitch, length, 0.0f);
      continue;
    }
    const ptrdiff_t line = (Signed(place.image * in().height) + y) * Signed(in().width) * Signed(in().channels);
    const Source window{.x = view.x + line + first, .pitch = stride_w_ * in().channels};
    step.team.kernels.read_rows(window, 0, places, 0, length, at, kPackPitch);
  }
}

void Convolution::Gather(const Step& step, const Source& view, size_t row, size_t rows, size_t from, size_t count,
                         float* block) const {
  const auto read = step.team.kernels.read_rows;
  if (pointwise_) return read(view, row, rows, from, count, block, kPackPitch);
  Place place = OutputPlace(row);
  const size_t channels = in().channels;
  const bool dense = in().pitch == channels && dilation_w_ == 1 && view.scale == nullptr && !view.half;
  for (size_t r = 0; r < rows; ++r) {
    float* out = block + r * kPackPitch;
    const size_t inner = dense && count == Depth() ? std::min(InnerPlaces(place), rows - r) : 0;
    if (inner > 0) {
      GatherInner(step, view, place, inner, out);
      r += inner - 1;
      place.x += inner - 1;
    } else if (dense) {
      GatherDense(view, place, from, count, out);
    } else {
      // In order: reading writes whole registers, and the next tap overwrites what is too much.
      for (size_t done = 0; done < count;) {
        const size_t tap = (from + done) / channels;
        const size_t channel = (from + done) % channels;
        const size_t here = std::min(count - done, channels - channel);
        const ptrdiff_t source = InputRow(place, tap);
        if (source < 0) {
          std::fill_n(out + done, here, 0.0f);
        } else {
          read(view, static_cast<size_t>(source), 1, channel, here, out + done, kPackPitch);
        }
        done += here;
      }
    }
    Advance(place.x, place.y, place.image, output->width, output->height);
  }
}

void Convolution::Forward(const Step& step) {
  PackForward(step);
  output->BeginForward(step);
  const Kernels& kernels = step.team.kernels;
  const Panels panels(Depth(), output->pitch, kernels);
  const Source view = in().View();
  const size_t rows = output->rows();
  const size_t slices = RowSlices(rows, kBlockRows);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const ForwardFinish finish = output->Finish(step, slice);
    float* block = scratch;
    float* result = scratch + kBlockRows * kPackPitch;
    const size_t pitch = output->pitch + kSpread;
    const size_t end = SliceBegin(rows, slices, slice + 1);
    ForBlocks(SliceBegin(rows, slices, slice), end, kBlockRows, [&](size_t row, size_t count) {
      Ahead ahead;
      if (pointwise_) AskRows(ahead, view, row + count, kBlockRows, end);
      Spread(ahead, panels.blocks());
      for (size_t k = 0; k < panels.blocks(); ++k) {
        Gather(step, view, row, count, panels.BlockBegin(k), panels.BlockSize(k), block);
        kernels.multiply_rows(LeftFactor(kernels, block, count, panels.BlockSize(k), block), count,
                              panels.BlockFloats(k), step.packed + panels.BlockOffset(k), output->pitch, result, pitch,
                              k > 0, &ahead);
      }
      kernels.finish_forward(finish, result, pitch, count, output->pitch, output->data + row * output->stride(),
                             output->stride());
    });
  });
  output->EndForward(step, slices);
}

}  // namespace ssd_prune
