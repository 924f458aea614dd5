#include "engine/feature_map.h"

#include <algorithm>
#include <utility>

namespace ssd_prune {
namespace {

constexpr size_t kRows = 64;

/// Σ of squares of a row, in float32: rows have some hundred numbers, and their sums are joined in float64.
float SquareSum(const float* row, size_t count) {
  float sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += row[i + lane] * row[i + lane];
  }
  float sum = 0;
  for (; i < count; ++i) sum += row[i] * row[i];
  for (const float lane : sums) sum += lane;
  return sum;
}

}  // namespace

FeatureMap::FeatureMap(Tensor* in, std::vector<size_t> channels) : channels_(std::move(channels)) {
  inputs = {in};
  for (size_t c = 0; c < channels_.size(); ++c) consecutive_ = consecutive_ && channels_[c] == channels_[0] + c;
}

void FeatureMap::Take(float* to) {
  taken_ = to;
  wanted_ = nullptr;
}

void FeatureMap::Compare(const float* wanted, double weight) {
  taken_ = nullptr;
  wanted_ = wanted;
  weight_ = weight;
}

size_t FeatureMap::ScratchFloats(const Kernels&) const { return kRows * inputs[0]->pitch + channels_.size(); }

void FeatureMap::Read(const Step& step, size_t row, size_t count, float* rows) const {
  const Tensor& in = *inputs[0];
  step.team.kernels.read_rows(in.View(), row, count, 0, in.pitch, rows, in.pitch);
}

const float* FeatureMap::Pick(const float* row, float* picked) const {
  if (consecutive_) return channels_.empty() ? row : row + channels_[0];
  for (size_t c = 0; c < channels_.size(); ++c) picked[c] = row[channels_[c]];
  return picked;
}

void FeatureMap::Forward(const Step& step) {
  squares_ = 0;
  if (taken_ == nullptr && wanted_ == nullptr) return;
  const Tensor& in = *inputs[0];
  const size_t slices = RowSlices(in.rows(), kRows);
  const size_t width = channels_.size();
  step.team.For(slices, [&](size_t slice, float* scratch) {
    double sum = 0;
    float* picked = scratch + kRows * in.pitch;
    ForBlocks(SliceBegin(in.rows(), slices, slice), SliceBegin(in.rows(), slices, slice + 1), kRows,
              [&](size_t row, size_t count) {
                Read(step, row, count, scratch);
                for (size_t r = 0; r < count; ++r) {
                  const float* seen = Pick(scratch + r * in.pitch, picked);
                  if (wanted_ != nullptr) {
                    const float* wanted = wanted_ + (row + r) * width;
                    for (size_t c = 0; c < width; ++c) picked[c] = seen[c] - wanted[c];
                  } else {
                    std::copy_n(seen, width, taken_ + (row + r) * width);
                  }
                  sum += static_cast<double>(SquareSum(wanted_ != nullptr ? picked : seen, width));
                }
              });
    slice_squares_[slice] = sum;
  });
  for (size_t slice = 0; slice < slices; ++slice) squares_ += slice_squares_[slice];
}

void FeatureMap::Backward(const Step& step) {
  if (!roles[0].wanted) return;
  Tensor& in = *inputs[0];
  const size_t slices = RowSlices(in.rows(), kRows);
  const size_t width = channels_.size();
  const float twice = static_cast<float>(2 * weight_);
  step.team.For(slices, [&](size_t slice, float* scratch) {
    const BackwardFinish finish = in.FinishGradient(step, slice, roles[0].add, roles[0].finish);
    ForBlocks(SliceBegin(in.rows(), slices, slice), SliceBegin(in.rows(), slices, slice + 1), kRows,
              [&](size_t row, size_t count) {
                float* picked = scratch + kRows * in.pitch;
                if (wanted_ == nullptr) {
                  std::fill_n(scratch, count * in.pitch, 0.0f);
                } else {
                  Read(step, row, count, scratch);
                  for (size_t r = 0; r < count; ++r) {
                    const float* wanted = wanted_ + (row + r) * width;
                    float* own = scratch + r * in.pitch;
                    const float* seen = Pick(own, picked);
                    for (size_t c = 0; c < width; ++c) picked[c] = twice * (seen[c] - wanted[c]);
                    std::fill_n(own, in.pitch, 0.0f);
                    if (consecutive_) {
                      std::copy_n(picked, width, own + (width > 0 ? channels_[0] : 0));
                    } else {
                      for (size_t c = 0; c < width; ++c) own[channels_[c]] = picked[c];
                    }
                  }
                }
                BackwardFinish here = finish;
                if (here.x != nullptr) here.x += row * in.stride();
                step.team.kernels.finish_backward(here, scratch, in.pitch, count, in.pitch,
                                                  in.gradient + row * in.stride(), in.stride());
              });
  });
  if (roles[0].finish) in.EndBackward(step, slices);
}

}  // namespace ssd_prune
