// A vector register of the instruction set that the including unit is compiled for. The unit defines SSD_PRUNE_LANES
// (floats in a register: 4 portable, 8 AVX2, 16 AVX-512) before it includes any -inl.h file of this room. Nothing of
// std:: may be instantiated in such a unit: the linker could keep its copy, which older machines can't run. A unit that
// also defines SSD_PRUNE_PAIRS (with 16 floats, and AVX512-BF16) multiplies pairs of bfloat16.
#pragma once

#include <cstddef>

#if SSD_PRUNE_LANES != 4
#include <immintrin.h>
#endif

namespace ssd_prune {
namespace {

constexpr size_t kLanes = SSD_PRUNE_LANES;

// Fma is one rounding on AVX2 and AVX-512, two in the portable set. Max and Min let a NaN in the second operand
// through, so that a diverged run shows as NaN and is not clipped to a plausible number. Between keeps `value` where
// low < z < high and gives 0 elsewhere. Stream writes past the caches to aligned memory; EndStream before anybody
// reads.
#if SSD_PRUNE_LANES == 16
using Lanes = __m512;
inline Lanes Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Lanes v) { _mm512_storeu_ps(p, v); }
inline void Stream(float* p, Lanes v) { _mm512_stream_ps(p, v); }
inline Lanes Fill(float v) { return _mm512_set1_ps(v); }
inline Lanes Fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
// The masked forms compile to the plain instruction; GCC 12 warns of an uninitialised value inside the plain forms.
inline Lanes Max(Lanes a, Lanes b) { return _mm512_maskz_max_ps(0xffff, a, b); }
inline Lanes Min(Lanes a, Lanes b) { return _mm512_maskz_min_ps(0xffff, a, b); }
inline Lanes Between(Lanes z, Lanes low, Lanes high, Lanes value) {
  const __mmask16 above = _mm512_cmp_ps_mask(z, low, _CMP_GT_OQ);
  return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, z, high, _CMP_LT_OQ), value);
}
#elif SSD_PRUNE_LANES == 8
using Lanes = __m256;
inline Lanes Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Lanes v) { _mm256_storeu_ps(p, v); }
inline void Stream(float* p, Lanes v) { _mm256_stream_ps(p, v); }
inline Lanes Fill(float v) { return _mm256_set1_ps(v); }
inline Lanes Fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
inline Lanes Max(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
inline Lanes Min(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
inline Lanes Between(Lanes z, Lanes low, Lanes high, Lanes value) {
  const Lanes inside = _mm256_and_ps(_mm256_cmp_ps(z, low, _CMP_GT_OQ), _mm256_cmp_ps(z, high, _CMP_LT_OQ));
  return _mm256_and_ps(inside, value);
}
#else
typedef float Lanes __attribute__((vector_size(16)));
typedef float UnalignedLanes __attribute__((vector_size(16), aligned(4), may_alias));
inline Lanes Load(const float* p) { return *reinterpret_cast<const UnalignedLanes*>(p); }
inline void Store(float* p, Lanes v) { *reinterpret_cast<UnalignedLanes*>(p) = v; }
inline void Stream(float* p, Lanes v) { Store(p, v); }
inline Lanes Fill(float v) { return Lanes{v, v, v, v}; }
inline Lanes Fma(Lanes a, Lanes b, Lanes c) { return a * b + c; }
inline Lanes Max(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes Min(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes Between(Lanes z, Lanes low, Lanes high, Lanes value) { return (z > low) & (z < high) ? value : Lanes{}; }
#endif

// Numbers [c, c + kLanes) of a row that is stored as float32, or as bfloat16 (in units with SSD_PRUNE_PAIRS alone), two
// in a float, rounded to the nearest when they are written.
template <bool kHalf>
inline const float* At(const float* row, size_t c) {
  // Numbers of two bytes: c may be odd.
  return kHalf ? reinterpret_cast<const float*>(reinterpret_cast<const char*>(row) + 2 * c) : row + c;
}
template <bool kHalf>
inline Lanes LoadOf(const float* row, size_t c) {
#ifdef SSD_PRUNE_PAIRS
  if constexpr (kHalf) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(At<true>(row, c)));
    return reinterpret_cast<Lanes>(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, bits), 16));
  }
#endif
  return Load(row + c);
}
template <bool kHalf>
inline void StoreOf(float* row, size_t c, Lanes v) {
#ifdef SSD_PRUNE_PAIRS
  if constexpr (kHalf) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + c / 2), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
    return;
  }
#endif
  Store(row + c, v);
}
template <bool kHalf>
inline void StreamOf(float* row, size_t c, Lanes v) {
#ifdef SSD_PRUNE_PAIRS
  if constexpr (kHalf) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(row + c / 2), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
    return;
  }
#endif
  Stream(row + c, v);
}

// A term of a product: of one number each, or of a pair of bfloat16 in each lane (both terms are added in float32;
// subnormal numbers count as 0 there).
#ifdef SSD_PRUNE_PAIRS
constexpr size_t kFold = 2;
inline Lanes Term(Lanes a, Lanes b, Lanes c) {
  return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
#else
constexpr size_t kFold = 1;
inline Lanes Term(Lanes a, Lanes b, Lanes c) { return Fma(a, b, c); }
#endif

#if SSD_PRUNE_LANES == 4
inline void EndStream() {}
#else
inline void EndStream() { _mm_sfence(); }
#endif

/// `count` channels as whole registers. Buffers have room for it: every pitch is a multiple of 16 floats.
inline size_t WholeLanes(size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

}  // namespace
}  // namespace ssd_prune
