#include "kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/kernels.h"

namespace ssd_prune {

namespace {

/// The greatest of `work()`, how much it did, over the time that it took.
template <typename Work>
double BestRate(double seconds, Work work) {
  using Clock = std::chrono::steady_clock;
  const auto elapsed = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  double best = 0;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    const double done = work();
    best = std::max(best, done / elapsed(start));
  } while (elapsed(begin) < seconds);
  return best;
}

}  // namespace

double MeasurePeak(Isa isa, Precision precision, double seconds) {
  const Kernels& kernels = KernelsOf(isa, precision);
  constexpr size_t kRounds = 100'000;
  return BestRate(seconds, [&] { return kernels.spin(kRounds); });
}

double MeasureBandwidth(ThreadPool& pool, double seconds) {
  constexpr size_t kFloats = size_t{1} << 25;
  const std::vector<float> from(kFloats, 1.0F);
  std::vector<float> to(kFloats);
  const size_t slice = kFloats / static_cast<size_t>(pool.size());
  return BestRate(seconds, [&] {
    pool.ForEach(kFloats / slice,
                 [&](size_t i) { std::copy_n(from.data() + i * slice, slice, to.data() + i * slice); });
    return 2.0 * sizeof(float) * static_cast<double>(kFloats / slice * slice);
  });
}

}  // namespace ssd_prune
