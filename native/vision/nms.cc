#include "vision/nms.h"

#include <algorithm>

namespace ssd_prune {
namespace {

/// Better scores first; equal ones by class, then by box.
bool Before(const Detection& a, const Detection& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.label != b.label ? a.label < b.label : a.box < b.box;
}

/// For the heap, whose top is what everything else is less than.
bool After(const Detection& a, const Detection& b) { return Before(b, a); }

/// Area of a normalised box; a box turned inside out has none.
float Area(const float* box) {
  if (box[2] < box[0] || box[3] < box[1]) return 0.0F;
  return (box[2] - box[0]) * (box[3] - box[1]);
}

}  // namespace

float Overlap(const float* a, const float* b) {
  if (b[0] > a[2] || b[2] < a[0] || b[1] > a[3] || b[3] < a[1]) return 0.0F;
  const float width = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const float height = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  const float both = width * height;
  return both / (Area(a) + Area(b) - both);
}

std::vector<Detection> MulticlassNms(const float* corners, const float* scores, size_t count, size_t classes,
                                     const NmsSettings& settings) {
  // One walk over the scores as they lie. Most boxes are nothing but background, and the first loop, which the compiler
  // vectorises, is enough for them.
  std::vector<Detection> candidates;
  for (size_t i = 0; i < count; ++i) {
    const float* row = scores + i * classes;
    uint32_t above = 0;
    for (size_t c = 0; c < classes; ++c) above += row[c] > settings.score_threshold ? 1 : 0;
    if (above == 0) continue;
    const bool background = settings.background >= 0 && static_cast<size_t>(settings.background) < classes &&
                            row[settings.background] > settings.score_threshold;
    if (background && above == 1) continue;
    for (size_t c = 0; c < classes; ++c) {
      if (row[c] > settings.score_threshold && static_cast<int64_t>(c) != settings.background) {
        candidates.push_back({static_cast<uint32_t>(c), row[c], static_cast<uint32_t>(i)});
      }
    }
  }
  // All classes in one falling order: each class sees its own candidates as if it were alone, and once keep_top_k boxes
  // are found no later one can be among the best. So a few hundred candidates are looked at instead of thousands.
  const size_t wanted = settings.keep_top_k < 0 ? candidates.size() : static_cast<size_t>(settings.keep_top_k);
  std::vector<std::vector<uint32_t>> kept_of(classes);
  std::vector<int64_t> tried(classes, 0);
  std::vector<Detection> kept;
  std::make_heap(candidates.begin(), candidates.end(), After);
  for (auto end = candidates.end(); end != candidates.begin() && kept.size() < wanted;) {
    std::pop_heap(candidates.begin(), end--, After);
    const Detection& candidate = *end;
    if (settings.top_k >= 0 && tried[candidate.label]++ >= settings.top_k) continue;
    const float* box = corners + 4 * static_cast<size_t>(candidate.box);
    std::vector<uint32_t>& better = kept_of[candidate.label];
    const bool suppressed = std::any_of(better.begin(), better.end(), [&](uint32_t other) {
      // Written so that boxes without area, whose overlap is not a number, suppress each other as in Paddle.
      return !(Overlap(box, corners + 4 * static_cast<size_t>(other)) <= settings.iou_threshold);
    });
    if (suppressed) continue;
    better.push_back(candidate.box);
    kept.push_back(candidate);
  }
  std::stable_sort(kept.begin(), kept.end(), [](const Detection& a, const Detection& b) { return a.label < b.label; });
  return kept;
}

}  // namespace ssd_prune
