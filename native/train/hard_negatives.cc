#include "train/hard_negatives.h"

#include <algorithm>

namespace ssd_prune {

size_t MineHardNegatives(const int32_t* matched, const double* losses, size_t priors, size_t positives, float ratio,
                         uint8_t* selected, std::vector<uint32_t>& order) {
  std::fill(selected, selected + priors, uint8_t{0});
  order.clear();
  for (uint32_t p = 0; p < priors; ++p) {
    if (matched[p] < 0) order.push_back(p);
  }
  const float wanted = static_cast<float>(positives) * ratio;
  // Compared before it is made whole: no size holds every float.
  const size_t count = wanted < static_cast<float>(order.size()) ? static_cast<size_t>(wanted) : order.size();
  // The order is total, so which ones come first doesn't depend on how they are sorted.
  std::nth_element(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                   [losses](uint32_t a, uint32_t b) { return losses[a] != losses[b] ? losses[a] > losses[b] : a < b; });
  for (size_t i = 0; i < count; ++i) selected[order[i]] = 1;
  return count;
}

}  // namespace ssd_prune
