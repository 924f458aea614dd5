// Which detections hit an object: the matching rules of three protocols, over the detections of one class.
//
// Every protocol walks a class's detections by falling score. Ties keep the order of pictures, then the order given:
// that is what a stable sort over detections listed picture by picture does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ssd_prune {

enum class Protocol : int { kDetectionMap = 0, kVoc = 1, kCoco = 2 };

/// COCO's settings: ten overlap thresholds, four ranges of area, at most 100 detections a picture and class.
inline constexpr size_t kCocoThresholds = 10;
inline constexpr size_t kCocoAreas = 4;
inline constexpr int kCocoDetections = 100;

/// What an object counts for. A crowd is also ignored.
inline constexpr uint8_t kIgnored = 1;
inline constexpr uint8_t kCrowd = 2;

/// Objects of all pictures, picture by picture.
struct Truth {
  size_t images = 0;
  size_t classes = 0;               // background included
  std::span<const int32_t> offset;  // images + 1
  std::span<const int32_t> label;   // 1 … classes − 1
  std::span<const uint8_t> flag;    // kIgnored, kCrowd
  /// Pixels. detection_map: corners as annotated; VOC: corners from the picture's upper left; COCO: x, y, width,
  /// height.
  std::span<const double> box;
  std::span<const double> area;  // square pixels; COCO only
  std::span<const double> size;  // width and height of each picture
};

/// Detections in any order. Boxes are normalised corners, or x, y, width, height in pixels where `pixels` is set.
template <typename Score, typename Coordinate>
struct Detections {
  std::span<const int32_t> image;
  std::span<const int32_t> label;
  std::span<const Score> score;
  std::span<const Coordinate> box;
  bool pixels = false;
};

struct MatchRules {
  Protocol protocol = Protocol::kVoc;
  double overlap_threshold = 0.5;  // detection_map: strictly above; VOC: at least. COCO has its own ten.
};

/// One class's detections by falling score. Bit t of a mask stands for overlap threshold t; protocols with one
/// threshold use bit 0. A detection that neither hits nor is ignored is a false positive.
struct ClassMatches {
  std::vector<int32_t> image;
  std::vector<uint16_t> hit;
  std::vector<uint16_t> ignored;
  /// Pictures with objects to be found, and how many: what recall divides by.
  std::vector<std::pair<int32_t, int32_t>> positives;
  int64_t positive_count = 0;
};

/// COCO matches once for each range of area: all, small, medium, large.
struct CocoMatches {
  std::array<ClassMatches, kCocoAreas> area;
  std::vector<uint8_t> rank;  // place of each detection within its picture, from 0
};

/// Splits objects and detections by class, so that classes can be matched on different threads.
template <typename Score, typename Coordinate>
class Matcher {
 public:
  Matcher(const Truth& truth, const Detections<Score, Coordinate>& detections);

  /// Detections of a class as given.
  size_t DetectionCount(size_t label) const { return by_class_[label + 1] - by_class_[label]; }

  /// detection_map and VOC: a detection takes the object it overlaps most; a second one on the same object is a false
  /// positive; one on an ignored object is ignored.
  ClassMatches MatchBest(size_t label, const MatchRules& rules) const;

  /// COCO: a detection takes the best object that is still free, at each threshold by itself, and turns to ignored
  /// objects only where none of the others fits.
  CocoMatches MatchCoco(size_t label) const;

 private:
  struct ClassTruth;
  std::vector<uint32_t> RankByScore(size_t label) const;
  ClassTruth TruthOf(size_t label) const;

  const Truth& truth_;
  const Detections<Score, Coordinate>& detections_;
  std::vector<size_t> by_class_;        // where each class begins in order_
  std::vector<uint32_t> order_;         // detections by class, then picture, then as given
  std::vector<size_t> truth_by_class_;  // where each class begins in truth_order_
  std::vector<uint32_t> truth_order_;   // objects by class, then picture
  std::vector<int32_t> truth_image_;    // picture of each object
};

}  // namespace ssd_prune
