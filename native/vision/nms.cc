#include "vision/nms.h"

#include <algorithm>

namespace ssd_prune {
namespace {

bool Better(const Detection& a, const Detection& b) { return a.score > b.score; }

/// Area of a normalised box; a box turned inside out has none.
float Area(const float* box) {
  if (box[2] < box[0] || box[3] < box[1]) return 0.0F;
  return (box[2] - box[0]) * (box[3] - box[1]);
}

/// Appends to `kept` what suppression leaves of one class's candidates.
void KeepOfClass(std::vector<Detection>& candidates, const float* corners, const NmsSettings& settings,
                 std::vector<Detection>& kept) {
  std::stable_sort(candidates.begin(), candidates.end(), Better);
  if (settings.top_k >= 0 && candidates.size() > static_cast<size_t>(settings.top_k)) {
    candidates.resize(static_cast<size_t>(settings.top_k));
  }
  const size_t begin = kept.size();
  for (const Detection& candidate : candidates) {
    const float* box = corners + 4 * static_cast<size_t>(candidate.box);
    const bool suppressed =
        std::any_of(kept.begin() + static_cast<std::ptrdiff_t>(begin), kept.end(), [&](const Detection& better) {
          // Written so that boxes without area, whose overlap is not a number, suppress each other as in Paddle.
          return !(Overlap(box, corners + 4 * static_cast<size_t>(better.box)) <= settings.iou_threshold);
        });
    if (!suppressed) kept.push_back(candidate);
  }
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
  // One walk over the scores as they lie; most are below the threshold.
  std::vector<std::vector<Detection>> candidates(classes);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < classes; ++c) {
      const float score = scores[i * classes + c];
      if (score > settings.score_threshold) {
        candidates[c].push_back({static_cast<uint32_t>(c), score, static_cast<uint32_t>(i)});
      }
    }
  }
  std::vector<Detection> kept;
  for (size_t c = 0; c < classes; ++c) {
    if (static_cast<int64_t>(c) != settings.background) KeepOfClass(candidates[c], corners, settings, kept);
  }
  if (settings.keep_top_k >= 0 && kept.size() > static_cast<size_t>(settings.keep_top_k)) {
    std::stable_sort(kept.begin(), kept.end(), Better);
    kept.resize(static_cast<size_t>(settings.keep_top_k));
    std::stable_sort(kept.begin(), kept.end(),
                     [](const Detection& a, const Detection& b) { return a.label < b.label; });
  }
  return kept;
}

}  // namespace ssd_prune
