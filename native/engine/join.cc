#include "engine/join.h"

#include <algorithm>

namespace ssd_prune {
namespace {

constexpr size_t kRows = 32;  // of a block

size_t WidestInput(const Operation& operation) {
  size_t widest = 0;
  for (const Tensor* input : operation.inputs) widest = std::max(widest, PitchOf(input->channels));
  return widest;
}

}  // namespace

size_t RowOperation::ScratchFloats(const Kernels&) const { return kRows * (output->pitch + WidestInput(*this)) + 16; }

void RowOperation::Forward(const Step& step) {
  output->BeginForward(step);
  const Kernels& kernels = step.team.kernels;
  const size_t rows = output->rows();
  const size_t slices = RowSlices(rows, kRows);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const ForwardFinish finish = output->Finish(step, slice);
    float* y = scratch;
    float* x = scratch + kRows * output->pitch;
    const size_t end = SliceBegin(rows, slices, slice + 1);
    for (size_t row = SliceBegin(rows, slices, slice); row < end; row += kRows) {
      const size_t count = std::min(kRows, end - row);
      std::fill_n(y, count * output->pitch, 0.0f);
      for (size_t i = 0; i < inputs.size(); ++i) {
        const size_t channels = inputs[i]->channels;
        kernels.read_rows(inputs[i]->View(), row, count, 0, channels, x, PitchOf(channels));
        Put(step, i, x, count, y);
      }
      kernels.finish_forward(finish, y, output->pitch, count, output->pitch, output->data + row * output->stride(),
                             output->stride());
    }
  });
  output->EndForward(step, slices);
}

void RowOperation::Backward(const Step& step) {
  const Kernels& kernels = step.team.kernels;
  const Source source = output->GradientSource();
  const size_t rows = output->rows();
  const size_t slices = RowSlices(rows, kRows);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!roles[i].wanted) continue;
    Tensor& target = *inputs[i];
    step.team.For(slices, [&](size_t slice, float* scratch) {
      const BackwardFinish finish = target.FinishGradient(step, slice, roles[i].add, roles[i].finish);
      float* dy = scratch;
      float* dx = scratch + kRows * output->pitch;
      const size_t end = SliceBegin(rows, slices, slice + 1);
      for (size_t row = SliceBegin(rows, slices, slice); row < end; row += kRows) {
        const size_t count = std::min(kRows, end - row);
        kernels.read_rows(source, row, count, 0, output->pitch, dy, output->pitch);
        std::fill_n(dx, count * target.pitch, 0.0f);
        Take(step, i, dy, count, dx);
        BackwardFinish here = finish;
        if (here.x != nullptr) here.x += row * target.stride();
        kernels.finish_backward(here, dx, target.pitch, count, target.pitch, target.gradient + row * target.stride(),
                                target.stride());
      }
    });
    if (roles[i].finish) target.EndBackward(step, slices);
  }
}

void Add::Put(const Step&, size_t, const float* x, size_t rows, float* y) const {
  // A picture has no padded channels: what lies beyond its own is the next place.
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < output->channels; ++c) y[r * output->pitch + c] += x[r * output->pitch + c];
  }
}

void Add::Take(const Step&, size_t, const float* dy, size_t rows, float* dx) const {
  std::copy_n(dy, rows * output->pitch, dx);
}

size_t Concat::FirstChannel(size_t input) const {
  size_t first = 0;
  for (size_t i = 0; i < input; ++i) first += inputs[i]->channels;
  return first;
}

void Concat::Put(const Step&, size_t input, const float* x, size_t rows, float* y) const {
  const size_t channels = inputs[input]->channels;
  float* out = y + FirstChannel(input);
  for (size_t r = 0; r < rows; ++r) std::copy_n(x + r * PitchOf(channels), channels, out + r * output->pitch);
}

void Concat::Take(const Step&, size_t input, const float* dy, size_t rows, float* dx) const {
  const float* from = dy + FirstChannel(input);
  const size_t pitch = inputs[input]->pitch;
  for (size_t r = 0; r < rows; ++r) std::copy_n(from + r * output->pitch, inputs[input]->channels, dx + r * pitch);
}

void Scale::Put(const Step& step, size_t, const float* x, size_t rows, float* y) const {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < output->channels; ++c) {
      const size_t at = r * output->pitch + c;
      y[at] = x[at] * factor_.At(step, c, 1) + summand_.At(step, c, 0);
    }
  }
}

void Scale::Take(const Step& step, size_t, const float* dy, size_t rows, float* dx) const {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < output->channels; ++c) {
      const size_t at = r * output->pitch + c;
      dx[at] = dy[at] * factor_.At(step, c, 1);
    }
  }
}

}  // namespace ssd_prune
