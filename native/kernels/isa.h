// Instruction sets: what this machine can run, and which one is in force.
#pragma once

#include <string_view>
#include <vector>

namespace ssd_prune {

enum class Isa { kPortable = 0, kAvx2 = 1, kAvx512 = 2 };

/// Name as it stands in SSD_PRUNE_ISA, reports and checkpoints: "portable", "avx2", "avx512".
std::string_view IsaName(Isa isa);

/// Sets that both this build and this processor (and its operating system) can run, best first.
std::vector<Isa> SupportedIsas();

/// Whether this processor has AVX-512's bfloat16 products; asked only where SupportedIsas() has kAvx512.
bool HasAvx512Bfloat16();

/// The best supported set, or a lower one that the environment variable SSD_PRUNE_ISA names. Read once. A name that
/// is unknown or not supported here throws std::invalid_argument.
Isa ActiveIsa();

}  // namespace ssd_prune
