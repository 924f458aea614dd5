// Depthwise convolutions as sums over taps. The caller lays out rows with their padding as zeros and picks the taps, so
// that one loop serves every kernel, stride, dilation and padding, forwards (taps of the kernel, inputs `stride` apart)
// and backwards (the taps that hit a class of input columns, outputs `stride` apart).
#include "kernels/ahead-inl.h"
#include "kernels/kernels.h"
#include "kernels/lanes-inl.h"

namespace ssd_prune {
namespace {

// Outputs at a time: a tap's weights are loaded once for all of them.
constexpr size_t kPlaces = SSD_PRUNE_LANES == 16 ? 8 : 6;
// Taps at a time whose sums stay in registers; 3x3 in one go.
constexpr size_t kTaps = 9;

template <size_t kCount>
void DepthwisePlaces(const Tap* taps, size_t tap_count, size_t in_offset, size_t in_step, size_t channels, float* out,
                     size_t out_step, Ahead* ahead, size_t lines) {
  for (size_t c = 0; c < channels; c += kLanes) {
    Fetch(ahead, lines);
    Lanes sum[kCount] = {};
    for (size_t t = 0; t < tap_count; ++t) {
      const Lanes weight = Load(taps[t].weight + c);
      const float* x = taps[t].x + in_offset + c;
#pragma GCC unroll 8
      for (size_t j = 0; j < kCount; ++j) sum[j] = Fma(Load(x + j * in_step), weight, sum[j]);
    }
#pragma GCC unroll 8
    for (size_t j = 0; j < kCount; ++j) Store(out + j * out_step + c, sum[j]);
  }
}

template <size_t kCount>
void DepthwiseRest(const Tap* taps, size_t tap_count, size_t in_offset, size_t in_step, size_t count, size_t channels,
                   float* out, size_t out_step, Ahead* ahead, size_t lines) {
  if (count == kCount) {
    return DepthwisePlaces<kCount>(taps, tap_count, in_offset, in_step, channels, out, out_step, ahead, lines);
  }
  if constexpr (kCount > 1) {
    DepthwiseRest<kCount - 1>(taps, tap_count, in_offset, in_step, count, channels, out, out_step, ahead, lines);
  }
}

void DepthwiseRow(const Tap* taps, size_t tap_count, size_t in_step, size_t count, size_t channels, float* out,
                  size_t out_step, Ahead* ahead) {
  const size_t lines = LinesEach(ahead, (count + kPlaces - 1) / kPlaces * (channels / kLanes));
  size_t j = 0;
  for (; j + kPlaces <= count; j += kPlaces) {
    DepthwisePlaces<kPlaces>(taps, tap_count, j * in_step, in_step, channels, out + j * out_step, out_step, ahead,
                             lines);
  }
  if (j < count) {
    DepthwiseRest<kPlaces - 1>(taps, tap_count, j * in_step, in_step, count - j, channels, out + j * out_step, out_step,
                               ahead, lines);
  }
}

template <size_t kCount>
void DepthwiseTaps(const Tap* taps, size_t in_step, const float* g, size_t g_step, size_t count, size_t channels,
                   float* gradients, size_t pitch) {
  for (size_t c = 0; c < channels; c += kLanes) {
    Lanes sum[kCount];
#pragma GCC unroll 9
    for (size_t t = 0; t < kCount; ++t) sum[t] = Load(gradients + t * pitch + c);
    for (size_t j = 0; j < count; ++j) {
      const Lanes factor = Load(g + j * g_step + c);
#pragma GCC unroll 9
      for (size_t t = 0; t < kCount; ++t) sum[t] = Fma(factor, Load(taps[t].x + j * in_step + c), sum[t]);
    }
#pragma GCC unroll 9
    for (size_t t = 0; t < kCount; ++t) Store(gradients + t * pitch + c, sum[t]);
  }
}

void DepthwiseWeights(const Tap* taps, size_t tap_count, size_t in_step, const float* g, size_t g_step, size_t count,
                      size_t channels, float* gradients, size_t pitch) {
  size_t t = 0;
  for (; t + kTaps <= tap_count; t += kTaps) {
    DepthwiseTaps<kTaps>(taps + t, in_step, g, g_step, count, channels, gradients + t * pitch, pitch);
  }
  for (; t < tap_count; ++t) {
    DepthwiseTaps<1>(taps + t, in_step, g, g_step, count, channels, gradients + t * pitch, pitch);
  }
}

}  // namespace
}  // namespace ssd_prune
