// The speed that shares of peak are counted from.
#pragma once

#include "kernels/isa.h"

namespace ssd_prune {

/// Multiply-adds a second that the calling thread reaches when nothing leaves the registers: the best of several
/// measurements within about `seconds`.
double MeasurePeak(Isa isa, double seconds);

}  // namespace ssd_prune
