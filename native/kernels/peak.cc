#include "kernels/peak.h"

#include <algorithm>
#include <chrono>

#include "kernels/kernels.h"

namespace ssd_prune {

double MeasurePeak(Isa isa, Precision precision, double seconds) {
  const Kernels& kernels = KernelsOf(isa, precision);
  using Clock = std::chrono::steady_clock;
  const auto elapsed = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  constexpr size_t kRounds = 100'000;
  double best = 0;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    const double macs = kernels.spin(kRounds);
    best = std::max(best, macs / elapsed(start));
  } while (elapsed(begin) < seconds);
  return best;
}

}  // namespace ssd_prune
