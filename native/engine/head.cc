#include "engine/head.h"

#include <algorithm>

namespace ssd_prune {
namespace {

constexpr size_t kRows = 64;

}  // namespace

Head::Head(Tensor* in, size_t first, size_t picture) : first_(first), picture_(picture) { inputs = {in}; }

size_t Head::ScratchFloats(const Kernels&) const { return kRows * inputs[0]->pitch; }

void Head::Forward(const Step& step) {
  const Tensor& in = *inputs[0];
  const Source view = in.View();
  const size_t places = in.height * in.width;
  step.team.For(in.batch, [&](size_t image, float* scratch) {
    float* out = values + image * picture_ + first_;
    for (size_t place = 0; place < places; place += kRows) {
      const size_t rows = std::min(kRows, places - place);
      step.team.kernels.read_rows(view, image * places + place, rows, 0, in.channels, scratch, in.pitch);
      for (size_t r = 0; r < rows; ++r) {
        std::copy_n(scratch + r * in.pitch, in.channels, out + (place + r) * in.channels);
      }
    }
  });
}

void Head::Backward(const Step& step) {
  if (!roles[0].wanted) return;
  Tensor& in = *inputs[0];
  const size_t places = in.height * in.width;
  const size_t slices = std::min(in.batch, kMaxSlices);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const BackwardFinish finish = in.FinishGradient(step, slice, roles[0].add, roles[0].finish);
    for (size_t image = SliceBegin(in.batch, slices, slice); image < SliceBegin(in.batch, slices, slice + 1); ++image) {
      const float* from = derivatives + image * picture_ + first_;
      for (size_t place = 0; place < places; place += kRows) {
        const size_t rows = std::min(kRows, places - place);
        for (size_t r = 0; r < rows; ++r) {
          float* row = scratch + r * in.pitch;
          std::copy_n(from + (place + r) * in.channels, in.channels, row);
          std::fill(row + in.channels, row + in.pitch, 0.0f);
        }
        const size_t at = (image * places + place) * in.pitch;
        BackwardFinish here = finish;
        if (here.x != nullptr) here.x += at;
        step.team.kernels.finish_backward(here, scratch, in.pitch, rows, in.pitch, in.gradient + at, in.pitch);
      }
    }
  });
  if (roles[0].finish) in.EndBackward(step, slices);
}

}  // namespace ssd_prune
