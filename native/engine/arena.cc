#include "engine/arena.h"

#include <algorithm>
#include <numeric>

namespace ssd_prune {
namespace {

constexpr size_t kAlign = 16;

}  // namespace

size_t LayOut(std::vector<ArenaItem>& items) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return items[a].floats > items[b].floats; });
  std::vector<size_t> placed;  // sorted by offset
  size_t total = 0;
  for (const size_t i : order) {
    ArenaItem& item = items[i];
    const size_t floats = (item.floats + kAlign - 1) / kAlign * kAlign;
    size_t offset = 0;
    for (const size_t p : placed) {
      const ArenaItem& other = items[p];
      if (other.end < item.begin || item.end < other.begin) continue;
      if (offset + floats <= other.offset) break;
      offset = std::max(offset, other.offset + (other.floats + kAlign - 1) / kAlign * kAlign);
    }
    item.offset = offset;
    total = std::max(total, offset + floats);
    const auto after = std::find_if(placed.begin(), placed.end(), [&](size_t p) { return items[p].offset > offset; });
    placed.insert(after, i);
  }
  return total;
}

}  // namespace ssd_prune
