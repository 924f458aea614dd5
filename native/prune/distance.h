// Distances between panels of channels.
#pragma once

#include <cstddef>

namespace ssd_prune {

/// Channels in a panel. A panel of channels with `length` values each is stored [length][kPanel].
inline constexpr size_t kPanel = 8;

/// distances[i·kPanel + j] = Euclidean distance of channel i of panel a and channel j of panel b, accumulated in
/// float64 in index order.
using DistanceKernel = void(const double* a, const double* b, size_t length, double* distances);

DistanceKernel PanelDistancesPortable;
DistanceKernel PanelDistancesAvx2;
DistanceKernel PanelDistancesAvx512;

}  // namespace ssd_prune
