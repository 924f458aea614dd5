#include <algorithm>
#include <cstring>

#include "engine/ahead.h"
#include "engine/convolution.h"
#include "engine/panels.h"

// Gradients of convolutions: of the input, of the weights, or of both in one pass over the blocks.
namespace ssd_prune {
namespace {

/// Numbers of a weight gradient below which every slice of rows gets one of its own.
constexpr size_t kSmallWeight = size_t{1} << 16;
/// Numbers of a weight gradient of a part, where output channels are shared out: what stays in a second-level cache of
/// 1 MB beside the blocks.
constexpr size_t kPartWeight = size_t{1} << 17;

/// out[i·step] = fresh[i], or += where `add`.
void Put(const float* fresh, size_t count, size_t step, bool add, float* out) {
  if (step == 1) {
    if (!add) {
      std::copy_n(fresh, count, out);
    } else {
      for (size_t i = 0; i < count; ++i) out[i] += fresh[i];
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) out[i * step] = add ? out[i * step] + fresh[i] : fresh[i];
}

}  // namespace

void Convolution::Backward(const Step& step) {
  if (Together()) return BackwardTogether(step);
  if (roles[0].wanted) BackwardData(step);
  BackwardWeights(step);
}

bool Convolution::Together() const {
  return pointwise_ && roles[0].wanted && output->channels * PitchOf(Depth()) <= kSmallWeight;
}

void Convolution::TogetherSlice(const Step& step, size_t begin, size_t end, const BackwardFinish& finish,
                                float* partial, float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  Tensor& target = *inputs[0];
  const Panels panels(output->channels, target.pitch, kernels);
  const Source source = output->GradientSource();
  const Source view = in().View();
  const size_t block_floats = kBlockRows * kPackPitch;
  float* block = scratch;
  float* gradients = block + block_floats;
  float* result = gradients + panels.blocks() * block_floats;
  const size_t result_pitch = target.pitch + kSpread;
  const size_t weight_pitch = PitchOf(Depth());
  ForBlocks(begin, end, kBlockRows, [&](size_t row, size_t rows) {
    Ahead inputs_ahead;
    AskRows(inputs_ahead, view, row, rows, end);
    Spread(inputs_ahead, panels.blocks());
    for (size_t k = 0; k < panels.blocks(); ++k) {
      float* gradient = gradients + k * block_floats;
      kernels.read_rows(source, row, rows, panels.BlockBegin(k), panels.BlockSize(k), gradient, kPackPitch);
      kernels.multiply_rows(LeftFactor(kernels, gradient, rows, panels.BlockSize(k), block), rows,
                            panels.BlockFloats(k), step.packed + panels.BlockOffset(k), target.pitch, result,
                            result_pitch, k > 0, &inputs_ahead);
      FoldColumns(kernels, gradient, rows, panels.BlockSize(k));
    }
    BackwardFinish here = finish;
    if (here.x != nullptr) here.x += row * target.stride();
    kernels.finish_backward(here, result, result_pitch, rows, target.pitch, target.gradient + row * target.stride(),
                            target.stride());
    Ahead gradients_ahead;
    AskRows(gradients_ahead, source, row + rows, kBlockRows, end);
    Spread(gradients_ahead, panels.blocks() * ((Depth() + kPackColumns - 1) / kPackColumns));
    for (size_t from = 0; from < Depth(); from += kPackColumns) {
      const size_t columns = std::min(kPackColumns, Depth() - from);
      kernels.read_rows(view, row, rows, from, columns, block, kPackPitch);
      const size_t folded = FoldColumns(kernels, block, rows, columns);
      for (size_t k = 0; k < panels.blocks(); ++k) {
        kernels.multiply_columns(gradients + k * block_floats, panels.BlockSize(k), block, PitchOf(columns), folded,
                                 partial + panels.BlockBegin(k) * weight_pitch + from, weight_pitch, row > begin,
                                 &gradients_ahead);
      }
    }
  });
}

void Convolution::BackwardTogether(const Step& step) {
  PackBackward(step);
  Tensor& target = *inputs[0];
  const size_t rows = output->rows();
  const size_t slices = WeightSlices();
  const size_t floats = output->channels * PitchOf(Depth());
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const BackwardFinish finish = target.FinishGradient(step, slice, roles[0].add, roles[0].finish);
    TogetherSlice(step, SliceBegin(rows, slices, slice), SliceBegin(rows, slices, slice + 1), finish,
                  step.partial + slice * floats, scratch);
  });
  if (roles[0].finish) target.EndBackward(step, slices);
  SumWeights(step, slices);
}

void Convolution::GatherGradient(const Step& step, const Source& source, const PlaceClass& places, size_t row,
                                 size_t rows, size_t from, size_t count, float* block) const {
  const auto read = step.team.kernels.read_rows;
  if (pointwise_) return read(source, row, rows, from, count, block, kPackPitch);
  const size_t map = places.count_y * places.count_x;
  size_t x = row % places.count_x;
  size_t y = row % map / places.count_x;
  size_t image = row / map;
  const size_t channels = output->channels;
  for (size_t r = 0; r < rows; ++r) {
    float* out = block + r * kPackPitch;
    const Place place{image, places.first_y + y * stride_h_, places.first_x + x * stride_w_};
    for (size_t done = 0; done < count;) {
      const size_t tap = places.taps[(from + done) / channels];
      const size_t channel = (from + done) % channels;
      const size_t here = std::min(count - done, channels - channel);
      const ptrdiff_t at = OutputRow(place, tap);
      if (at < 0) {
        std::fill_n(out + done, here, 0.0f);
      } else {
        read(source, static_cast<size_t>(at), 1, channel, here, out + done, kPackPitch);
      }
      done += here;
    }
    Advance(x, y, image, places.count_x, places.count_y);
  }
}

void Convolution::DataSlice(const Step& step, const PlaceClass& places, const float* packed, size_t begin, size_t end,
                            const BackwardFinish& finish, float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  Tensor& target = *inputs[0];
  const Panels panels = BackwardPanels(places, kernels);
  const Source source = output->GradientSource();
  float* block = scratch;
  float* result = scratch + kBlockRows * kPackPitch;
  const size_t pitch = target.pitch + kSpread;
  ForBlocks(begin, end, kBlockRows, [&](size_t row, size_t count) {
    Ahead ahead;
    if (pointwise_) {
      Ask(ahead, finish.x == nullptr ? nullptr : finish.x + row * target.stride(), count * target.stride());
      AskRows(ahead, source, row + count, kBlockRows, end);
    }
    Spread(ahead, panels.blocks());
    if (places.taps.empty()) std::fill_n(result, count * pitch, 0.0f);
    for (size_t k = 0; k < panels.blocks(); ++k) {
      GatherGradient(step, source, places, row, count, panels.BlockBegin(k), panels.BlockSize(k), block);
      kernels.multiply_rows(LeftFactor(kernels, block, count, panels.BlockSize(k), block), count, panels.BlockFloats(k),
                            packed + panels.BlockOffset(k), target.pitch, result, pitch, k > 0, &ahead);
    }
    // Runs of places in one line of the picture; with stride 1 and a whole map that is all of them.
    const bool whole = stride_h_ == 1 && stride_w_ == 1;
    for (size_t done = 0; done < count;) {
      const size_t at = row + done;
      const size_t x = at % places.count_x;
      const size_t line = at / places.count_x;
      const size_t run = whole ? count : std::min(count - done, places.count_x - x);
      const size_t y = places.first_y + line % places.count_y * stride_h_;
      const size_t first =
          whole ? at : (line / places.count_y * target.height + y) * target.width + places.first_x + x * stride_w_;
      BackwardFinish here = finish;
      if (here.x != nullptr) here.x += first * target.stride();
      kernels.finish_backward(here, result + done * pitch, pitch, run, target.pitch,
                              target.gradient + first * target.stride(), stride_w_ * target.stride());
      done += run;
    }
  });
}

void Convolution::BackwardData(const Step& step) {
  PackBackward(step);
  Tensor& target = *inputs[0];
  const size_t slices = RowSlices(target.rows(), kBlockRows);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const BackwardFinish finish = target.FinishGradient(step, slice, roles[0].add, roles[0].finish);
    const float* packed = step.packed;
    for (const PlaceClass& places : classes_) {
      const size_t rows = target.batch * places.count_y * places.count_x;
      DataSlice(step, places, packed, SliceBegin(rows, slices, slice), SliceBegin(rows, slices, slice + 1), finish,
                scratch);
      packed += BackwardPanels(places, step.team.kernels).floats();
    }
  });
  if (roles[0].finish) target.EndBackward(step, slices);
}

size_t Convolution::WeightSlices() const {
  if (output->channels * PitchOf(Depth()) > kSmallWeight) return 1;
  return std::min<size_t>(RowSlices(output->rows(), 512), 16);
}

size_t Convolution::PartialFloats() const { return WeightSlices() * output->channels * PitchOf(Depth()); }

void Convolution::WeightsSlice(const Step& step, size_t begin, size_t end, size_t out_begin, size_t out_end,
                               float* partial, float* scratch) const {
  const Kernels& kernels = step.team.kernels;
  const Source view = in().View();
  const Source source = output->GradientSource();
  const size_t block_floats = kBlockRows * kPackPitch;
  float* block = scratch;
  float* gradients = scratch + block_floats;
  const size_t pitch = PitchOf(Depth());
  ForBlocks(begin, end, kBlockRows, [&](size_t row, size_t rows) {
    for (size_t out = out_begin; out < out_end; out += kPackColumns) {
      float* gradient = gradients + (out - out_begin) / kPackColumns * block_floats;
      const size_t columns = std::min(kPackColumns, out_end - out);
      kernels.read_rows(source, row, rows, out, columns, gradient, kPackPitch);
      FoldColumns(kernels, gradient, rows, columns);
    }
    const auto blocks_of = [](size_t count) { return (count + kPackColumns - 1) / kPackColumns; };
    Ahead ahead;
    if (pointwise_) AskRows(ahead, view, row + rows, kBlockRows, end);
    if (out_end - out_begin == output->channels) AskRows(ahead, source, row + rows, kBlockRows, end);
    Spread(ahead, blocks_of(Depth()) * blocks_of(out_end - out_begin));
    for (size_t k = 0; k < Depth(); k += kPackColumns) {
      const size_t columns = std::min(kPackColumns, Depth() - k);
      Gather(step, view, row, rows, k, columns, block);
      const size_t folded = FoldColumns(kernels, block, rows, columns);
      for (size_t out = out_begin; out < out_end; out += kPackColumns) {
        kernels.multiply_columns(gradients + (out - out_begin) / kPackColumns * block_floats,
                                 std::min(kPackColumns, out_end - out), block, PitchOf(columns), folded,
                                 partial + out * pitch + k, pitch, row > begin, &ahead);
      }
    }
  });
}

void Convolution::BackwardWeights(const Step& step) {
  const size_t rows = output->rows();
  const size_t slices = WeightSlices();
  const size_t floats = output->channels * PitchOf(Depth());
  if (slices > 1 || floats <= kSmallWeight) {
    step.team.For(slices, [&](size_t slice, float* scratch) {
      WeightsSlice(step, SliceBegin(rows, slices, slice), SliceBegin(rows, slices, slice + 1), 0, output->channels,
                   step.partial + slice * floats, scratch);
    });
  } else {
    // Every number is a sum over all rows, whatever part it is in: parts may follow the threads. They begin at whole
    // vectors, so that gradients are read aligned.
    const size_t threads = step.team.size();
    const size_t needed = std::max<size_t>((floats + kPartWeight - 1) / kPartWeight, 2);
    const size_t most = std::max<size_t>(output->channels / 16, 1);
    const size_t parts = std::min((needed + threads - 1) / threads * threads, most);
    const auto begin = [&](size_t part) {
      return part == parts ? output->channels : SliceBegin(output->channels, parts, part) / 16 * 16;
    };
    step.team.For(parts, [&](size_t part, float* scratch) {
      WeightsSlice(step, 0, rows, begin(part), begin(part + 1), step.partial, scratch);
    });
  }
  SumWeights(step, slices);
}

void Convolution::SumWeights(const Step& step, size_t slices) const {
  const size_t pitch = PitchOf(Depth());
  const size_t floats = output->channels * pitch;
  const size_t channels = in().channels;
  const size_t group_inputs = channels / groups_;
  float* gradient = step.Gradient(weight_);
  const bool add = step.Adds(weight_);
  const size_t tasks = std::min<size_t>(output->channels, kMaxSlices);
  step.team.For(tasks, [&](size_t task, float*) {
    for (size_t out = SliceBegin(output->channels, tasks, task); out < SliceBegin(output->channels, tasks, task + 1);
         ++out) {
      float* total = step.partial + out * pitch;
      for (size_t slice = 1; slice < slices; ++slice) {
        const float* more = total + slice * floats;
        for (size_t i = 0; i < pitch; ++i) total[i] += more[i];
      }
      const size_t first = out / (output->channels / groups_) * group_inputs;
      float* result = gradient + out * group_inputs * Taps();
      for (size_t tap = 0; tap < Taps(); ++tap)
        Put(total + tap * channels + first, group_inputs, Taps(), add, result + tap);
    }
  });
}

}  // namespace ssd_prune
