// Passes over rows: reading a tensor as its readers see it, and what follows a product. They run on blocks that are in
// the cache already. Channels go in groups whose per-channel numbers stay in registers while the rows pass by.
#include "kernels/kernels.h"
#include "kernels/lanes-inl.h"

namespace ssd_prune {
namespace {

#if SSD_PRUNE_LANES == 16
constexpr size_t kGroup = 4;
#else
constexpr size_t kGroup = 2;
#endif

/// Rows that memory is asked for before they are needed: groups of channels make a stride that the processor's own
/// prefetching follows badly.
constexpr size_t kAhead = 8;

template <size_t kMost, typename Body>
inline void CallGroup(size_t vectors, const Body& body, size_t channel) {
  if (vectors == kMost) return body.template operator()<kMost>(channel);
  if constexpr (kMost > 1) CallGroup<kMost - 1>(vectors, body, channel);
}

/// Calls body.template operator()<vectors>(channel) for groups of channels that cover `channels`, as even as can be: of
/// a narrow tensor, whole rows, so that memory is touched in the order in which it lies.
template <typename Body>
inline void ForGroups(size_t channels, const Body& body) {
  const size_t vectors = (channels + kLanes - 1) / kLanes;
  const size_t groups = (vectors + kGroup - 1) / kGroup;
  for (size_t group = 0, from = 0; group < groups; ++group) {
    const size_t end = vectors * (group + 1) / groups;
    CallGroup<kGroup>(end - from, body, from * kLanes);
    from = end;
  }
}

/// Calls body.template operator()<half>(); tensors are stored so only where products take pairs.
template <typename Body>
inline void WithStorage(bool half, const Body& body) {
#ifdef SSD_PRUNE_PAIRS
  if (half) return body.template operator()<true>();
#endif
  static_cast<void>(half);
  body.template operator()<false>();
}

enum class Reading { kStored, kClipped, kTwo };

/// Row after row, as memory lies: the processor's own prefetching follows, where groups of channels would make a stride
/// that it follows badly.
template <Reading kReading, bool kHalf>
void Read(const Source& source, size_t row, size_t rows, size_t channel, size_t channels, float* out,
          size_t out_pitch) {
  const size_t pitch = source.pitch;
  const float* x = At<kHalf>(source.x + row * pitch, channel);
  const float* second = kReading == Reading::kTwo ? At<kHalf>(source.second + row * pitch, channel) : nullptr;
  const float* scale = kReading == Reading::kStored ? nullptr : source.scale + channel;
  const float* shift = kReading == Reading::kStored ? nullptr : source.shift + channel;
  const float* second_scale = kReading == Reading::kTwo ? source.second_scale + channel : nullptr;
  const Lanes low = Fill(source.low);
  const Lanes high = Fill(source.high);
  for (size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (size_t c = 0; c < channels; c += kLanes) {
      Lanes value = LoadOf<kHalf>(x, c);
      if constexpr (kReading != Reading::kStored) value = Fma(value, Load(scale + c), Load(shift + c));
      if constexpr (kReading == Reading::kTwo) value = Fma(LoadOf<kHalf>(second, c), Load(second_scale + c), value);
      if constexpr (kReading == Reading::kClipped) value = Min(high, Max(low, value));
      Store(out + c, value);
    }
    x += pitch;
    if constexpr (kReading == Reading::kTwo) second += pitch;
    out += out_pitch;
  }
}

template <bool kHalf>
void ReadOf(const Source& source, size_t row, size_t rows, size_t channel, size_t channels, float* out,
            size_t out_pitch) {
  if (source.scale == nullptr)
    return Read<Reading::kStored, kHalf>(source, row, rows, channel, channels, out, out_pitch);
  if (source.second == nullptr)
    return Read<Reading::kClipped, kHalf>(source, row, rows, channel, channels, out, out_pitch);
  Read<Reading::kTwo, kHalf>(source, row, rows, channel, channels, out, out_pitch);
}

void ReadRows(const Source& source, size_t row, size_t rows, size_t channel, size_t channels, float* out,
              size_t out_pitch) {
  WithStorage(source.half, [&]<bool kHalf>() { ReadOf<kHalf>(source, row, rows, channel, channels, out, out_pitch); });
}

/// Sums over a block's rows are float32, those over blocks float64: an error of the mean moves every place of a channel
/// across the bound of its clip together, where errors of single places even out.
void AddTo(double* sum, Lanes value) {
  float values[kLanes];
  Store(values, value);
#pragma GCC unroll 16
  for (size_t i = 0; i < kLanes; ++i) sum[i] += static_cast<double>(values[i]);
}

template <bool kClip, bool kSums, bool kStream, bool kHalf>
void FinishForwardRows(const ForwardFinish& finish, const float* y, size_t y_pitch, size_t rows, size_t channels,
                       float* out, size_t out_pitch) {
  constexpr size_t kFolded = kHalf ? 2 : 1;
  const Lanes low = Fill(finish.low);
  const Lanes high = Fill(finish.high);
  ForGroups(channels, [&]<size_t kVectors>(size_t c) {
    Lanes bias[kVectors] = {};
    Lanes pivot[kVectors] = {};
    Lanes first[kVectors] = {};
    Lanes squares[kVectors] = {};
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      if (finish.bias != nullptr) bias[v] = Load(finish.bias + c + v * kLanes);
      if constexpr (kSums) {
        if (*finish.rows == 0) {
          Lanes value = Load(y + c + v * kLanes) + bias[v];
          if constexpr (kClip) value = Min(high, Max(low, value));
          Store(finish.pivot + c + v * kLanes, value);
        }
        pivot[v] = Load(finish.pivot + c + v * kLanes);
      }
    }
    for (size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) {
        Lanes value = Load(y + r * y_pitch + c + v * kLanes) + bias[v];
        if constexpr (kClip) value = Min(high, Max(low, value));
        float* at = out + r * out_pitch;
        if constexpr (kStream) {
          StreamOf<kHalf>(at, c + v * kLanes, value);
        } else {
          __builtin_prefetch(at + kAhead * out_pitch + (c + v * kLanes) / kFolded, 1);
          StoreOf<kHalf>(at, c + v * kLanes, value);
        }
        if constexpr (kSums) {
          value -= pivot[v];
          first[v] += value;
          squares[v] = Fma(value, value, squares[v]);
        }
      }
    }
    if constexpr (kSums) {
      for (size_t v = 0; v < kVectors; ++v) {
        AddTo(finish.sums + c + v * kLanes, first[v]);
        AddTo(finish.sums + finish.sums_pitch + c + v * kLanes, squares[v]);
      }
    }
  });
  if constexpr (kSums) *finish.rows += rows;
}

template <bool kClip, bool kSums>
void FinishForwardTo(const ForwardFinish& finish, const float* y, size_t y_pitch, size_t rows, size_t channels,
                     float* out, size_t out_pitch) {
  WithStorage(finish.half, [&]<bool kHalf>() {
    if (!finish.stream) {
      return FinishForwardRows<kClip, kSums, false, kHalf>(finish, y, y_pitch, rows, channels, out, out_pitch);
    }
    FinishForwardRows<kClip, kSums, true, kHalf>(finish, y, y_pitch, rows, channels, out, out_pitch);
    EndStream();
  });
}

void FinishForward(const ForwardFinish& finish, const float* y, size_t y_pitch, size_t rows, size_t channels,
                   float* out, size_t out_pitch) {
  if (finish.sums != nullptr) {
    if (finish.clip) return FinishForwardTo<true, true>(finish, y, y_pitch, rows, channels, out, out_pitch);
    return FinishForwardTo<false, true>(finish, y, y_pitch, rows, channels, out, out_pitch);
  }
  if (finish.clip) return FinishForwardTo<true, false>(finish, y, y_pitch, rows, channels, out, out_pitch);
  FinishForwardTo<false, false>(finish, y, y_pitch, rows, channels, out, out_pitch);
}

template <bool kMask, bool kSums, bool kStream, bool kHalf>
void FinishBackwardRows(const BackwardFinish& finish, const float* g, size_t g_pitch, size_t rows, size_t channels,
                        float* out, size_t out_pitch) {
  constexpr size_t kFolded = kHalf ? 2 : 1;
  const Lanes low = Fill(finish.low);
  const Lanes high = Fill(finish.high);
  ForGroups(channels, [&]<size_t kVectors>(size_t c) {
    Lanes scale[kVectors];
    Lanes shift[kVectors] = {};
    Lanes pivot[kVectors] = {};
    Lanes first[kVectors] = {};
    Lanes second[kVectors] = {};
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      scale[v] = finish.scale != nullptr ? Load(finish.scale + c + v * kLanes) : Fill(1);
      if (finish.scale != nullptr) shift[v] = Load(finish.shift + c + v * kLanes);
      if (finish.pivot != nullptr) pivot[v] = Load(finish.pivot + c + v * kLanes);
    }
    for (size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) {
        float* at = out + r * out_pitch;
        const size_t channel = c + v * kLanes;
        if constexpr (!kStream) __builtin_prefetch(at + kAhead * out_pitch + channel / kFolded, 1);
        if constexpr (kMask) __builtin_prefetch(finish.x + (r + kAhead) * out_pitch + channel / kFolded);
        Lanes value = Load(g + r * g_pitch + channel);
        if (finish.add) value += LoadOf<kHalf>(at, channel);
        Lanes x{};
        if constexpr (kMask) {
          x = LoadOf<kHalf>(finish.x + r * out_pitch, channel);
          value = Between(Fma(x, scale[v], shift[v]), low, high, value);
        }
        if constexpr (kStream) {
          StreamOf<kHalf>(at, channel, value);
        } else {
          StoreOf<kHalf>(at, channel, value);
        }
        if constexpr (kSums) {
          first[v] += value;
          if constexpr (kMask) second[v] = Fma(value, x - pivot[v], second[v]);
        }
      }
    }
    if constexpr (kSums) {
      for (size_t v = 0; v < kVectors; ++v) {
        AddTo(finish.sums + c + v * kLanes, first[v]);
        if constexpr (kMask) {
          if (finish.pivot != nullptr) AddTo(finish.sums + finish.sums_pitch + c + v * kLanes, second[v]);
        }
      }
    }
  });
}

template <bool kMask, bool kSums>
void FinishBackwardTo(const BackwardFinish& finish, const float* g, size_t g_pitch, size_t rows, size_t channels,
                      float* out, size_t out_pitch) {
  WithStorage(finish.half, [&]<bool kHalf>() {
    if (!finish.stream) {
      return FinishBackwardRows<kMask, kSums, false, kHalf>(finish, g, g_pitch, rows, channels, out, out_pitch);
    }
    FinishBackwardRows<kMask, kSums, true, kHalf>(finish, g, g_pitch, rows, channels, out, out_pitch);
    EndStream();
  });
}

void FinishBackward(const BackwardFinish& finish, const float* g, size_t g_pitch, size_t rows, size_t channels,
                    float* out, size_t out_pitch) {
  if (finish.sums != nullptr) {
    if (finish.x != nullptr) return FinishBackwardTo<true, true>(finish, g, g_pitch, rows, channels, out, out_pitch);
    return FinishBackwardTo<false, true>(finish, g, g_pitch, rows, channels, out, out_pitch);
  }
  if (finish.x != nullptr) return FinishBackwardTo<true, false>(finish, g, g_pitch, rows, channels, out, out_pitch);
  FinishBackwardTo<false, false>(finish, g, g_pitch, rows, channels, out, out_pitch);
}

}  // namespace
}  // namespace ssd_prune
