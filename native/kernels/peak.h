// The speeds that shares of peak and of bandwidth are counted from.
#pragma once

#include "kernels/kernels.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {

/// Multiply-adds of products a second that the calling thread reaches when nothing leaves the registers: the best of
/// several measurements within about `seconds`.
double MeasurePeak(Isa isa, Precision precision, double seconds);

/// Bytes a second, read and written together, that all threads of the pool reach when they copy far more than caches
/// hold: the best of several measurements within about `seconds`. Throws std::bad_alloc where 256 MiB are not there.
double MeasureBandwidth(ThreadPool& pool, double seconds);

}  // namespace ssd_prune
