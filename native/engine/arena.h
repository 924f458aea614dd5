// One block of memory for everything that lives for a while: items whose lives don't overlap share places.
#pragma once

#include <cstddef>
#include <vector>

namespace ssd_prune {

struct ArenaItem {
  size_t floats;
  /// First and last moment of its life, both included.
  int begin;
  int end;
  /// Result: where it lies, in floats, a multiple of 16.
  size_t offset = 0;
};

/// Gives every item its offset and returns the floats that all of them need. Big ones choose first, each takes the
/// lowest gap that is free during its life; the result depends on the items and their order alone.
size_t LayOut(std::vector<ArenaItem>& items);

}  // namespace ssd_prune
