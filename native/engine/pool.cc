#include "engine/pool.h"

#include <algorithm>
#include <limits>

namespace ssd_prune {

Pool::Pool(const Window& window, bool average, bool count_padding, Tensor* in_tensor, Tensor* out)
    : window_(window), average_(average), count_padding_(count_padding) {
  inputs = {in_tensor};
  output = out;
}

size_t Pool::ScratchFloats(const Kernels&) const { return (output->width + 2) * output->pitch; }

template <typename Body>
void Pool::ForWindow(size_t image, size_t y, size_t x, const Body& body) const {
  const int height = static_cast<int>(in().height);
  const int width = static_cast<int>(in().width);
  for (int ky = 0; ky < window_.kernel[0]; ++ky) {
    const int row = static_cast<int>(y) * window_.stride[0] + ky * window_.dilation[0] - window_.pad[0];
    if (row < 0 || row >= height) continue;
    for (int kx = 0; kx < window_.kernel[1]; ++kx) {
      const int column = static_cast<int>(x) * window_.stride[1] + kx * window_.dilation[1] - window_.pad[1];
      if (column < 0 || column >= width) continue;
      body((image * in().height + static_cast<size_t>(row)) * in().width + static_cast<size_t>(column));
    }
  }
}

size_t Pool::Divisor(size_t y, size_t x, size_t inside) const {
  if (!count_padding_) return inside;
  // Padding counts, what lies beyond it (a window that only rounding up lets in) doesn't.
  const auto covered = [&](int axis, size_t at, size_t size) {
    size_t count = 0;
    for (int k = 0; k < window_.kernel[axis]; ++k) {
      const int place = static_cast<int>(at) * window_.stride[axis] + k * window_.dilation[axis] - window_.pad[axis];
      if (place < static_cast<int>(size) + window_.pad_end[axis]) ++count;
    }
    return count;
  };
  return covered(0, y, in().height) * covered(1, x, in().width);
}

void Pool::Forward(const Step& step) {
  output->BeginForward(step);
  const Kernels& kernels = step.team.kernels;
  const Source view = in().View();
  const size_t pitch = output->pitch;
  const size_t lines = output->batch * output->height;
  const size_t slices = RowSlices(lines, 1);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const ForwardFinish finish = output->Finish(step, slice);
    float* x_row = scratch;
    for (size_t line = SliceBegin(lines, slices, slice); line < SliceBegin(lines, slices, slice + 1); ++line) {
      for (size_t x = 0; x < output->width; ++x) {
        float* y_row = scratch + (1 + x) * pitch;
        std::fill_n(y_row, pitch, 0.0f);
        if (!average_) std::fill_n(y_row, output->channels, -std::numeric_limits<float>::infinity());
        size_t inside = 0;
        ForWindow(line / output->height, line % output->height, x, [&](size_t row) {
          kernels.read_rows(view, row, 1, 0, pitch, x_row, pitch);
          ++inside;
          // NaN wins, so that it isn't lost.
          for (size_t c = 0; c < output->channels; ++c) {
            y_row[c] = average_ ? y_row[c] + x_row[c] : x_row[c] <= y_row[c] ? y_row[c] : x_row[c];
          }
        });
        if (!average_) continue;
        const float share = 1.0f / static_cast<float>(Divisor(line % output->height, x, inside));
        for (size_t c = 0; c < pitch; ++c) y_row[c] *= share;
      }
      kernels.finish_forward(finish, scratch + pitch, pitch, output->width, pitch,
                             output->data + line * output->width * pitch, pitch);
    }
  });
  output->EndForward(step, slices);
}

void Pool::Backward(const Step& step) {
  if (!roles[0].wanted) return;
  Tensor& target = *inputs[0];
  const Kernels& kernels = step.team.kernels;
  const Source view = target.View();
  const Source source = output->GradientSource();
  const size_t pitch = output->pitch;
  const size_t image_rows = target.height * target.width;
  // Windows overlap: a picture's gradient is one slice's work.
  const size_t slices = std::min(target.batch, kMaxSlices);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    BackwardFinish finish = target.FinishGradient(step, slice, false, roles[0].finish);
    float* x_row = scratch;
    float* dy = scratch + pitch;
    float* best = scratch + 2 * pitch;
    for (size_t image = SliceBegin(target.batch, slices, slice); image < SliceBegin(target.batch, slices, slice + 1);
         ++image) {
      float* gradient = target.gradient + image * image_rows * pitch;
      if (!roles[0].add) std::fill_n(gradient, image_rows * pitch, 0.0f);
      for (size_t place = 0; place < output->height * output->width; ++place) {
        const size_t y = place / output->width;
        const size_t x = place % output->width;
        kernels.read_rows(source, image * output->height * output->width + place, 1, 0, pitch, dy, pitch);
        if (average_) {
          size_t inside = 0;
          ForWindow(image, y, x, [&](size_t) { ++inside; });
          const float share = 1.0f / static_cast<float>(Divisor(y, x, inside));
          ForWindow(image, y, x, [&](size_t row) {
            for (size_t c = 0; c < pitch; ++c) target.gradient[row * pitch + c] += dy[c] * share;
          });
          continue;
        }
        std::fill_n(best, pitch, -std::numeric_limits<float>::infinity());
        ForWindow(image, y, x, [&](size_t row) {
          kernels.read_rows(view, row, 1, 0, pitch, x_row, pitch);
          for (size_t c = 0; c < pitch; ++c) best[c] = std::max(best[c], x_row[c]);
        });
        ForWindow(image, y, x, [&](size_t row) {
          kernels.read_rows(view, row, 1, 0, pitch, x_row, pitch);
          for (size_t c = 0; c < pitch; ++c) {
            if (x_row[c] != best[c]) continue;
            target.gradient[row * pitch + c] += dy[c];
            best[c] = std::numeric_limits<float>::infinity();  // taken: the first one gets all
          }
        });
      }
      BackwardFinish here = finish;
      if (here.x != nullptr) here.x += image * image_rows * pitch;
      kernels.finish_backward(here, gradient, pitch, image_rows, pitch, gradient, pitch);
    }
  });
  if (roles[0].finish) target.EndBackward(step, slices);
}

}  // namespace ssd_prune
