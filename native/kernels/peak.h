// The speed that shares of peak are counted from.
#pragma once

#include "kernels/kernels.h"

namespace ssd_prune {

/// Multiply-adds of products a second that the calling thread reaches when nothing leaves the registers: the best of
/// several measurements within about `seconds`.
double MeasurePeak(Isa isa, Precision precision, double seconds);

}  // namespace ssd_prune
