// Float32 to pairs of bfloat16, rounded to the nearest, ties to even: see Kernels::fold_rows and fold_columns. In place
// a row is written after all that lies there was read: pairs take half the room.
#include "kernels/lanes-inl.h"

namespace ssd_prune {
namespace {

/// Sixteen of `a`, then sixteen of `b`, in 16 bits each.
inline __m512i Round(Lanes a, Lanes b) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)); }

inline void StoreBits(float* p, __m512i bits) { _mm512_storeu_si512(p, bits); }

/// The first `count` of the numbers at p, 0 for the rest; none are read beyond.
inline Lanes LoadFirst(const float* p, size_t count) {
  return _mm512_maskz_loadu_ps(count >= kLanes ? 0xffff : static_cast<__mmask16>((1U << count) - 1), p);
}

void FoldRows(const float* in, size_t in_pitch, size_t rows, size_t columns, float* out, size_t out_pitch) {
  const size_t whole = columns / (2 * kLanes) * 2 * kLanes;
  const size_t rest = columns - whole;
  for (size_t r = 0; r < rows; ++r) {
    const float* from = in + r * in_pitch;
    float* to = out + r * out_pitch;
    for (size_t c = 0; c < whole; c += 2 * kLanes)
      StoreBits(to + c / 2, Round(Load(from + c), Load(from + c + kLanes)));
    if (rest == 0) continue;
    const Lanes first = LoadFirst(from + whole, rest);
    const Lanes second = rest > kLanes ? LoadFirst(from + whole + kLanes, rest - kLanes) : Lanes{};
    StoreBits(to + whole / 2, Round(first, second));
  }
}

void FoldColumns(const float* in, size_t in_pitch, size_t rows, size_t columns, float* out, size_t out_pitch) {
  // A number of the first row beside one of the second.
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                          21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (size_t r = 0; r < rows; r += 2) {
    const float* from = in + r * in_pitch;
    float* to = out + r / 2 * out_pitch;
    for (size_t c = 0; c < columns; c += kLanes) {
      const Lanes second = r + 1 < rows ? Load(from + in_pitch + c) : Lanes{};
      StoreBits(to + c, _mm512_permutexvar_epi16(places, Round(Load(from + c), second)));
    }
  }
}

}  // namespace
}  // namespace ssd_prune
