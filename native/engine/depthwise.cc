#include "engine/depthwise.h"

#include <algorithm>
#include <array>

#include "engine/ahead.h"

namespace ssd_prune {
namespace {

/// Lines of a slice at least: each one reads some lines of its neighbours, too.
constexpr size_t kSliceLines = 16;

ptrdiff_t Signed(size_t value) { return static_cast<ptrdiff_t>(value); }

/// Calls body(x, count) for the parts that a row of places falls into, all of it where the ring has zeros beside lines.
template <typename Body>
void ForParts(const LineRing& ring, const std::vector<size_t>& cuts, const Body& body) {
  if (!ring.direct()) return body(0, cuts.back());
  for (size_t i = 0; i + 1 < cuts.size(); ++i) body(cuts[i], cuts[i + 1] - cuts[i]);
}

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
    ColumnClass column{first, (in().width - first + stride_w_ - 1) / stride_w_, {}, {}};
    for (size_t kx = 0; kx < kernel_w_; ++kx) {
      const ptrdiff_t at = Signed(first) + pad_w_ - Signed(kx * dilation_w_);
      if (at % Signed(stride_w_) == 0) column.taps.push_back(kx);
    }
    std::vector<ptrdiff_t> offsets;
    for (const size_t kx : column.taps) offsets.push_back(GradientColumn(column, kx));
    column.cuts = Cuts(offsets, 1, output->width, column.count);
    columns_.push_back(std::move(column));
  }
  std::vector<ptrdiff_t> offsets;
  for (size_t kx = 0; kx < kernel_w_; ++kx) offsets.push_back(Signed(kx * dilation_w_) - pad_w_);
  cuts_ = Cuts(offsets, stride_w_, in().width, output->width);
}

std::vector<size_t> Depthwise::Cuts(const std::vector<ptrdiff_t>& offsets, size_t step, size_t width, size_t count) {
  std::vector<size_t> cuts{0, count};
  for (const ptrdiff_t offset : offsets) {
    for (const ptrdiff_t bound : {ptrdiff_t{0}, Signed(width)}) {
      // The first place whose tap is at the bound or after it.
      const ptrdiff_t distance = bound - offset;
      const ptrdiff_t at = distance <= 0 ? 0 : (distance + Signed(step) - 1) / Signed(step);
      if (at < Signed(count)) cuts.push_back(static_cast<size_t>(at));
    }
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

ptrdiff_t Depthwise::GradientColumn(const ColumnClass& column, size_t kx) const {
  return (Signed(column.first) + pad_w_ - Signed(kx * dilation_w_)) / Signed(stride_w_);
}

LineRing::Shape Depthwise::InputRing() const {
  const size_t left = static_cast<size_t>(pad_w_);
  const size_t seen = (output->width - 1) * stride_w_ + (kernel_w_ - 1) * dilation_w_ + 1;
  return {(kernel_h_ - 1) * dilation_h_ + 1, left, std::max(seen, left + in().width), SpreadPitch(in().pitch)};
}

size_t Depthwise::LinesBefore() const {
  const size_t extent = (kernel_h_ - 1) * dilation_h_;
  const size_t pad = static_cast<size_t>(pad_h_);
  return extent > pad ? (extent - pad + stride_h_ - 1) / stride_h_ : 0;
}

size_t Depthwise::LinesAfter() const { return (static_cast<size_t>(pad_h_) + stride_h_ - 1) / stride_h_; }

LineRing::Shape Depthwise::GradientRing() const {
  const size_t extent_w = (kernel_w_ - 1) * dilation_w_;
  // The first input column is hit by output columns from (pad − extent) / stride on, the last by those up to
  // (width − 1 + pad) / stride.
  const size_t left = (extent_w + stride_w_ - 1) / stride_w_;
  const size_t seen = (in().width - 1 + static_cast<size_t>(pad_w_)) / stride_w_ + 1;
  return {LinesBefore() + LinesAfter() + 1, left, left + std::max(seen, output->width), SpreadPitch(in().pitch)};
}

size_t Depthwise::Slices() const { return RowSlices(output->batch * output->height, kSliceLines); }

size_t Depthwise::ScratchFloats(const Kernels&) const {
  const size_t line = std::max(in().width, output->width) * SpreadPitch(in().pitch);
  return InputRing().floats() + GradientRing().floats() + line;
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
    std::array<Tap, Depthwise::kMaxTaps> taps;
    for (size_t line = SliceBegin(lines, slices, slice); line < SliceBegin(lines, slices, slice + 1); ++line) {
      const size_t image = line / output->height;
      const ptrdiff_t top = Signed(line % output->height * stride_h_) - pad_h_;
      ring.Hold(image, top, top + Signed((kernel_h_ - 1) * dilation_h_));
      Ahead ahead;
      AskRows(ahead, view, ring.next() * in().width, stride_h_ * in().width, in().rows());
      Spread(ahead, 1);
      ForParts(ring, cuts_, [&](size_t x, size_t count) {
        for (size_t tap = 0; tap < Taps(); ++tap)
          taps[tap] = {Seen(ring, image, top, x, tap), step.packed + tap * pitch};
        kernels.depthwise_row(taps.data(), Taps(), stride_w_ * ring.pitch(), count, pitch, result + x * spread, spread,
                              count > 1 ? &ahead : nullptr);
      });
      kernels.finish_forward(finish, result, spread, output->width, pitch,
                             output->data + line * output->width * output->stride(), output->stride());
    }
  });
  output->EndForward(step, slices);
}

const float* Depthwise::Seen(const LineRing& ring, size_t image, ptrdiff_t top, size_t x, size_t tap) const {
  return ring.At(image, top + Signed(tap / kernel_w_ * dilation_h_),
                 Signed(x * stride_w_ + tap % kernel_w_ * dilation_w_) - pad_w_);
}

void Depthwise::DataLine(const Step& step, const LineRing& ring, size_t image, size_t y, float* result,
                         Ahead* ahead) const {
  const size_t pitch = in().pitch;
  const size_t spread = SpreadPitch(pitch);
  std::array<Tap, Depthwise::kMaxTaps> taps;
  for (const ColumnClass& column : columns_) {
    ForParts(ring, column.cuts, [&](size_t x, size_t places) {
      size_t count = 0;
      for (size_t ky = 0; ky < kernel_h_; ++ky) {
        const ptrdiff_t hit = Signed(y) + pad_h_ - Signed(ky * dilation_h_);
        if (hit < 0 || hit % Signed(stride_h_) != 0) continue;
        for (const size_t kx : column.taps) {
          taps[count++] = {ring.At(image, hit / Signed(stride_h_), GradientColumn(column, kx) + Signed(x)),
                           step.packed + (ky * kernel_w_ + kx) * pitch};
        }
      }
      step.team.kernels.depthwise_row(taps.data(), count, ring.pitch(), places, pitch,
                                      result + (column.first + x * stride_w_) * spread, stride_w_ * spread,
                                      places > 1 ? ahead : nullptr);
    });
  }
}

void Depthwise::BackwardSlice(const Step& step, size_t begin, size_t end, const BackwardFinish* finish, float* partial,
                              float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  const Source view = in().View();
  const Source source = output->GradientSource();
  const LineRing::Shape shape = InputRing();
  const LineRing::Shape gradient_shape = GradientRing();
  const size_t pitch = in().pitch;
  const size_t spread = shape.pitch;
  const size_t width = in().width;
  LineRing ring(kernels, view, shape, width, in().height, scratch);
  LineRing gradients(kernels, source, gradient_shape, output->width, output->height, scratch + shape.floats());
  float* result = scratch + shape.floats() + gradient_shape.floats();
  std::array<Tap, Depthwise::kMaxTaps> taps;
  std::fill_n(partial, Taps() * pitch, 0.0f);
  for (size_t line = begin; line < end; ++line) {
    const size_t image = line / output->height;
    const size_t y = line % output->height;
    const ptrdiff_t top = Signed(y * stride_h_) - pad_h_;
    ring.Hold(image, top, top + Signed((kernel_h_ - 1) * dilation_h_));
    gradients.Hold(image, Signed(y) - Signed(LinesBefore()), Signed(y + LinesAfter()));
    ForParts(ring, cuts_, [&](size_t x, size_t count) {
      for (size_t tap = 0; tap < Taps(); ++tap) taps[tap] = {Seen(ring, image, top, x, tap), nullptr};
      kernels.depthwise_weights(taps.data(), Taps(), stride_w_ * ring.pitch(),
                                gradients.At(image, Signed(y), Signed(x)), gradients.pitch(), count, pitch, partial,
                                pitch);
    });
    Ahead ahead;
    AskRows(ahead, source, gradients.next() * output->width, output->width, output->rows());
    AskRows(ahead, view, ring.next() * width, stride_h_ * width, in().rows());
    Spread(ahead, stride_h_ * columns_.size());
    // Every output line has `stride` lines of the input to itself; the last one has those that are left, too.
    const size_t last = y + 1 == output->height ? in().height : std::min((y + 1) * stride_h_, in().height);
    for (size_t in_y = y * stride_h_; finish != nullptr && in_y < last; ++in_y) {
      DataLine(step, gradients, image, in_y, result, &ahead);
      const size_t first = (image * in().height + in_y) * width * in().stride();
      BackwardFinish here = *finish;
      if (here.x != nullptr) here.x += first;
      kernels.finish_backward(here, result, spread, width, pitch, inputs[0]->gradient + first, in().stride());
    }
  }
}

void Depthwise::Backward(const Step& step) {
  Pack(step);
  Tensor& target = *inputs[0];
  const GradientRole& role = roles[0];
  const size_t lines = output->batch * output->height;
  const size_t slices = Slices();
  step.team.For(slices, [&](size_t slice, float* scratch) {
    BackwardFinish finish;
    if (role.wanted) finish = target.FinishGradient(step, slice, role.add, role.finish);
    BackwardSlice(step, SliceBegin(lines, slices, slice), SliceBegin(lines, slices, slice + 1),
                  role.wanted ? &finish : nullptr, step.partial + slice * Taps() * in().pitch, scratch);
  });
  if (role.wanted && role.finish) target.EndBackward(step, slices);
  SumWeights(step, slices);
}

void Depthwise::SumWeights(const Step& step, size_t slices) const {
  const size_t pitch = in().pitch;
  float* total = step.partial;
  for (size_t slice = 1; slice < slices; ++slice) {
    const float* more = total + slice * Taps() * pitch;
    for (size_t i = 0; i < Taps() * pitch; ++i) total[i] += more[i];
  }
  float* gradient = step.Gradient(weight_);
  for (size_t tap = 0; tap < Taps(); ++tap) {
    for (size_t c = 0; c < in().channels; ++c) {
      float& value = gradient[c * Taps() + tap];
      value = step.Adds(weight_) ? value + total[tap * pitch + c] : total[tap * pitch + c];
    }
  }
}

}  // namespace ssd_prune
