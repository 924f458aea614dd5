#define SSD_PRUNE_LANES 16
#define SSD_PRUNE_PAIRS
#include "kernels/fold-inl.h"
#include "kernels/kernels.h"
#include "kernels/product-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/spin-inl.h"

namespace ssd_prune {

extern const Kernels kAvx512Bfloat16Kernels = {
    .isa = Isa::kAvx512,
    .panel = kPanel,
    .tile_rows = kTileRows,
    .fold = kFold,
    .fold_rows = FoldRows,
    .fold_columns = FoldColumns,
    .multiply_rows = MultiplyRows,
    .multiply_columns = MultiplyColumns,
    .read_rows = ReadRows,
    .finish_forward = FinishForward,
    .finish_backward = FinishBackward,
    .depthwise_row = nullptr,
    .depthwise_weights = nullptr,
    .spin = Spin,
};

}  // namespace ssd_prune
