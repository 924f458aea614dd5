#include "kernels/isa.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace ssd_prune {

#if defined(__x86_64__) && defined(__GNUC__)
namespace {

// Asked by CPUID: clang before 15 refuses "f16c" in __builtin_cpu_supports. Its registers are those of AVX.
bool HasF16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

}  // namespace
#endif

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kPortable:
      break;
  }
  return "portable";
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  // __builtin_cpu_supports asks the operating system too (XGETBV): a set counts only if its registers are saved.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    isas.push_back(Isa::kAvx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c()) {
    isas.push_back(Isa::kAvx2);
  }
#endif
  isas.push_back(Isa::kPortable);
  return isas;
}

bool HasAvx512Bfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  // Asked by CPUID, leaf 7.1: compilers name this feature differently in __builtin_cpu_supports.
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kBfloat16 = 1U << 5;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kBfloat16) != 0;
#else
  return false;
#endif
}

Isa ActiveIsa() {
  static const Isa active = [] {
    const std::vector<Isa> supported = SupportedIsas();
    const char* forced = std::getenv("SSD_PRUNE_ISA");
    if (forced == nullptr || *forced == '\0') return supported.front();
    for (Isa isa : supported) {
      if (IsaName(isa) == forced) return isa;
    }
    throw std::invalid_argument(std::string("SSD_PRUNE_ISA=") + forced + " is unknown or not supported here");
  }();
  return active;
}

}  // namespace ssd_prune
