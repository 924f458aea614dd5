// Multiply-adds in registers alone, to measure what the processor can do at most.
#include "kernels/kernels.h"
#include "kernels/lanes-inl.h"

namespace ssd_prune {
namespace {

double Spin(size_t rounds) {
  constexpr size_t kChains = 12;  // independent: as many as two units of four cycles' latency need, and some more
  Lanes sums[kChains];
  for (size_t i = 0; i < kChains; ++i) sums[i] = Fill(static_cast<float>(i));
  Lanes factor = Fill(0.5f);
  for (size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (size_t i = 0; i < kChains; ++i) {
#ifdef SSD_PRUNE_PAIRS
      sums[i] = Term(factor, factor, sums[i]);
#else
      sums[i] = Term(sums[i], factor, factor);
#endif
    }
    // What is in the registers counts as changed, so that nothing is computed beforehand or left out.
#if defined(__x86_64__)
    __asm__ volatile("" : "+x"(factor));
#else
    __asm__ volatile("" : "+w"(factor));
#endif
  }
  Lanes total = sums[0];
  for (size_t i = 1; i < kChains; ++i) total += sums[i];
  float last[kLanes];
  Store(last, total);
  volatile float sink = last[0];
  static_cast<void>(sink);
  return static_cast<double>(rounds * kChains * kLanes * kFold);
}

}  // namespace
}  // namespace ssd_prune
