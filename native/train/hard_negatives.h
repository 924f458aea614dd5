// Which priors without a ground-truth box take part in the softmax loss: 'max_negative' mining of Paddle's ssd_loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ssd_prune {

/// Marks the background priors of one picture that count: selected[p] = 1. Candidates are all priors with
/// matched[p] < 0 (Paddle stores an overlap of 0 for them, so its limit on the overlap excludes none); those with the
/// greatest `losses` are taken, min(int(ratio · positives), candidates) of them, of equal losses the lower prior.
/// `order` is only memory, kept between calls. Returns their number.
size_t MineHardNegatives(const int32_t* matched, const double* losses, size_t priors, size_t positives, float ratio,
                         uint8_t* selected, std::vector<uint32_t>& order);

}  // namespace ssd_prune
