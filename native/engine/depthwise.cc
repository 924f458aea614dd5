#include "engine/depthwise.h"

#include <algorithm>
#include <array>

namespace ssd_prune {
namespace {

/// Largest kernel: its taps stand on the stack.
constexpr size_t kMaxTaps = 256;
/// Lines of a slice at least: each one reads some lines of its neighbours, too.
constexpr size_t kSliceLines = 16;

ptrdiff_t Signed(size_t value) { return static_cast<ptrdiff_t>(value); }

}  // namespace

Depthwise::Depthwise(const Window& window, int weight, Tensor* in_tensor, Tensor* out)
    : kernel_h_(static_cast<size_t>(window.kernel[0])),
      kernel_w_(static_cast<size_t>(window.kernel[1])),
      stride_h_(static_cast<size_t>(window.stride[0])),
      stride_w_(static_cast<size_t>(window.stride[1])),
      dilation_h_(static_cast<size_t>(window.dilation[0])),
      dilation_w_(static_cast<size_t>(window.dilation[1])),
      pad_h_(window.pad[0]),
      pad_w_(window.pad[1]),
      weight_(weight) {
  inputs = {in_tensor};
  output = out;
  for (size_t first = 0; first < std::min(stride_w_, in().width); ++first) {
    ColumnClass column{first, (in().width - first + stride_w_ - 1) / stride_w_, {}};
    for (size_t kx = 0; kx < kernel_w_; ++kx) {
      const ptrdiff_t at = Signed(first) + pad_w_ - Signed(kx * dilation_w_);
      if (at % Signed(stride_w_) == 0) column.taps.push_back(kx);
    }
    columns_.push_back(std::move(column));
  }
}

LineRing::Shape Depthwise::InputRing() const {
  const size_t left = static_cast<size_t>(pad_w_);
  const size_t seen = (output->width - 1) * stride_w_ + (kernel_w_ - 1) * dilation_w_ + 1;
  return {(kernel_h_ - 1) * dilation_h_ + 1, left, std::max(seen, left + in().width), SpreadPitch(in().pitch)};
}

LineRing::Shape Depthwise::GradientRing() const {
  const size_t extent_h = (kernel_h_ - 1) * dilation_h_;
  const size_t extent_w = (kernel_w_ - 1) * dilation_w_;
  // The first input column is hit by output columns from (pad − extent) / stride on, the last by those up to
  // (width − 1 + pad) / stride.
  const size_t left = (extent_w + stride_w_ - 1) / stride_w_;
  const size_t seen = (in().width - 1 + static_cast<size_t>(pad_w_)) / stride_w_ + 1;
  return {extent_h / stride_h_ + 1, left, left + std::max(seen, output->width), SpreadPitch(in().pitch)};
}

size_t Depthwise::Slices() const { return RowSlices(output->batch * output->height, kSliceLines); }

size_t Depthwise::ScratchFloats(const Kernels&) const {
  const size_t line = std::max(in().width, output->width) * SpreadPitch(in().pitch);
  return std::max(InputRing().floats(), GradientRing().floats()) + line;
}

size_t Depthwise::PackedFloats(const Kernels&) const { return Taps() * in().pitch; }
size_t Depthwise::PartialFloats() const { return Slices() * Taps() * in().pitch; }
double Depthwise::Macs() const { return static_cast<double>(output->rows() * output->channels * Taps()); }

void Depthwise::Pack(const Step& step) const {
  const float* weight = step.Weight(weight_);
  for (size_t tap = 0; tap < Taps(); ++tap) {
    float* out = step.packed + tap * in().pitch;
    for (size_t c = 0; c < in().channels; ++c) out[c] = weight[c * Taps() + tap];
    std::fill(out + in().channels, out + in().pitch, 0.0f);
  }
}

void Depthwise::Forward(const Step& step) {
  Pack(step);
  output->BeginForward(step);
  const Kernels& kernels = step.team.kernels;
  const Source view = in().View();
  const LineRing::Shape shape = InputRing();
  const size_t pitch = in().pitch;
  const size_t spread = shape.pitch;
  const size_t lines = output->batch * output->height;
  const size_t slices = Slices();
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const ForwardFinish finish = output->Finish(step, slice);
    LineRing ring(kernels, view, shape, in().width, in().height, scratch);
    float* result = scratch + shape.floats();
    std::array<Tap, kMaxTaps> taps;
    for (size_t line = SliceBegin(lines, slices, slice); line < SliceBegin(lines, slices, slice + 1); ++line) {
      const size_t image = line / output->height;
      for (size_t tap = 0; tap < Taps(); ++tap) {
        const size_t y = line % output->height * stride_h_ + tap / kernel_w_ * dilation_h_;
        const float* at = ring.Line(image, Signed(y) - pad_h_) + tap % kernel_w_ * dilation_w_ * spread;
        taps[tap] = {at, step.packed + tap * pitch};
      }
      kernels.depthwise_row(taps.data(), Taps(), stride_w_ * spread, output->width, pitch, result, spread);
      kernels.finish_forward(finish, result, spread, output->width, pitch, output->data + line * output->width * pitch,
                             pitch);
    }
  });
  output->EndForward(step, slices);
}

void Depthwise::DataSlice(const Step& step, size_t begin, size_t end, const BackwardFinish& finish,
                          float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  const Source source = output->GradientSource();
  const LineRing::Shape shape = GradientRing();
  const size_t pitch = in().pitch;
  const size_t spread = shape.pitch;
  const size_t width = in().width;
  LineRing ring(kernels, source, shape, output->width, output->height, scratch);
  float* result = scratch + shape.floats();
  std::array<Tap, kMaxTaps> taps;
  for (size_t line = begin; line < end; ++line) {
    const size_t image = line / in().height;
    const ptrdiff_t padded = Signed(line % in().height) + pad_h_;
    for (const ColumnClass& column : columns_) {
      size_t count = 0;
      // The lowest tap hits the highest line of the gradient: from the last tap on, lines rise.
      for (size_t ky = kernel_h_; ky-- > 0;) {
        const ptrdiff_t y = padded - Signed(ky * dilation_h_);
        if (y < 0 || y % Signed(stride_h_) != 0) continue;
        const float* row = ring.Line(image, y / Signed(stride_h_));
        for (const size_t kx : column.taps) {
          const ptrdiff_t x = (Signed(column.first) + pad_w_ - Signed(kx * dilation_w_)) / Signed(stride_w_);
          taps[count++] = {row + (Signed(shape.left) + x) * Signed(spread),
                           step.packed + (ky * kernel_w_ + kx) * pitch};
        }
      }
      kernels.depthwise_row(taps.data(), count, spread, column.count, pitch, result + column.first * spread,
                            stride_w_ * spread);
    }
    BackwardFinish here = finish;
    if (here.x != nullptr) here.x += line * width * pitch;
    kernels.finish_backward(here, result, spread, width, pitch, inputs[0]->gradient + line * width * pitch, pitch);
  }
}

void Depthwise::WeightsSlice(const Step& step, size_t begin, size_t end, float* partial, float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  const Source view = in().View();
  const Source source = output->GradientSource();
  const LineRing::Shape shape = InputRing();
  const size_t pitch = in().pitch;
  const size_t spread = shape.pitch;
  LineRing ring(kernels, view, shape, in().width, in().height, scratch);
  float* gradient = scratch + shape.floats();
  std::array<Tap, kMaxTaps> taps;
  std::fill_n(partial, Taps() * pitch, 0.0f);
  for (size_t line = begin; line < end; ++line) {
    for (size_t tap = 0; tap < Taps(); ++tap) {
      const size_t y = line % output->height * stride_h_ + tap / kernel_w_ * dilation_h_;
      const float* at = ring.Line(line / output->height, Signed(y) - pad_h_);
      taps[tap] = {at + tap % kernel_w_ * dilation_w_ * spread, nullptr};
    }
    kernels.read_rows(source, line * output->width, output->width, 0, pitch, gradient, spread);
    kernels.depthwise_weights(taps.data(), Taps(), stride_w_ * spread, gradient, spread, output->width, pitch, partial,
                              pitch);
  }
}

void Depthwise::Backward(const Step& step) {
  Pack(step);
  Tensor& target = *inputs[0];
  const size_t in_lines = target.batch * target.height;
  const size_t out_lines = output->batch * output->height;
  const size_t slices = Slices();
  step.team.For(slices, [&](size_t slice, float* scratch) {
    if (roles[0].wanted) {
      const BackwardFinish finish = target.FinishGradient(step, slice, roles[0].add, roles[0].finish);
      DataSlice(step, SliceBegin(in_lines, slices, slice), SliceBegin(in_lines, slices, slice + 1), finish, scratch);
    }
    WeightsSlice(step, SliceBegin(out_lines, slices, slice), SliceBegin(out_lines, slices, slice + 1),
                 step.partial + slice * Taps() * in().pitch, scratch);
  });
  if (roles[0].wanted && roles[0].finish) target.EndBackward(step, slices);
  SumWeights(step, slices);
}

void Depthwise::SumWeights(const Step& step, size_t slices) const {
  const size_t pitch = in().pitch;
  float* gradient = step.Gradient(weight_);
  for (size_t tap = 0; tap < Taps(); ++tap) {
    for (size_t c = 0; c < in().channels; ++c) {
      float sum = 0;
      for (size_t slice = 0; slice < slices; ++slice) sum += step.partial[(slice * Taps() + tap) * pitch + c];
      float& value = gradient[c * Taps() + tap];
      value = step.Adds(weight_) ? value + sum : sum;
    }
  }
}

}  // namespace ssd_prune
