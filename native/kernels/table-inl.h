// Gathers the loops of this room into one table; the including file defines SSD_PRUNE_LANES, SSD_PRUNE_ISA and
// SSD_PRUNE_KERNELS (the table's name).
#include "kernels/depthwise-inl.h"
#include "kernels/kernels.h"
#include "kernels/product-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/spin-inl.h"

namespace ssd_prune {

extern const Kernels SSD_PRUNE_KERNELS = {
    .isa = SSD_PRUNE_ISA,
    .panel = kPanel,
    .tile_rows = kTileRows,
    .fold = kFold,
    .fold_rows = nullptr,
    .fold_columns = nullptr,
    .multiply_rows = MultiplyRows,
    .multiply_columns = MultiplyColumns,
    .read_rows = ReadRows,
    .finish_forward = FinishForward,
    .finish_backward = FinishBackward,
    .depthwise_row = DepthwiseRow,
    .depthwise_weights = DepthwiseWeights,
    .spin = Spin,
};

}  // namespace ssd_prune
