// The loss of a batch of an SSD detector, and its gradients with respect to class scores and box offsets.
//
// Sum of up to four terms, each with a weight of its own:
//   ground truth: classes (softmax with mined negatives as Paddle's ssd_loss, or sigmoid focal loss) and box offsets
//   (smooth L1 on matched priors), divided by the number of matched priors;
//   a teacher's outputs for the same pictures: classes (KL distance by softmax or by sigmoids) on all priors and box
//   offsets (smooth L1) where the teacher is confident, divided by the teacher's mass.
//
// Divisors are given by the caller, who may sum them over micro-batches before the first one runs: both are known
// before the network is. Losses and gradients are the same bits for any number of threads: a picture is one thread's,
// and pictures are summed in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "train/class_terms.h"
#include "train/prior_match.h"

namespace ssd_prune {

enum class ClassLoss { kSoftmax = 0, kFocal = 1 };
enum class TeacherLoss { kSoftmax = 0, kSigmoid = 1 };

struct LossSettings {
  /// Scores a prior, background included.
  size_t classes = 0;
  float variances[4] = {0.1F, 0.1F, 0.2F, 0.2F};
  /// Intersection over union from which on a prior answers for a box.
  double overlap = 0.5;
  ClassLoss class_loss = ClassLoss::kSoftmax;
  /// Background priors in the softmax loss for each matched one, at most.
  float negative_ratio = 3.0F;
  FocalShape focal;
  double class_weight = 1.0;
  double box_weight = 1.0;
  /// Whether background scores have gradients. Those of heads trained with sigmoids are constant 0: as one score stands
  /// against all classes, its slope would outweigh theirs together.
  bool trains_background = true;

  /// Class scores go through sigmoids one by one, each by itself: background's is compared with nothing, counts as 0
  /// and is not trained.
  bool sigmoid_scores = false;
  bool teacher_sigmoid_scores = false;

  TeacherLoss teacher_loss = TeacherLoss::kSigmoid;
  double teacher_class_weight = 0.0;
  double teacher_box_weight = 0.0;
  double temperature = 1.0;
  /// The teacher's confidence from which on its boxes count, each by its confidence.
  double teacher_confidence = 0.5;
  /// Weight of a prior's classes is b + (1 - b) · the teacher's confidence; 1: every prior counts alike.
  double teacher_background = 1.0;
};

/// What a network says of a batch: scores (pictures, priors, classes) and offsets (pictures, priors, 4).
struct HeadOutputs {
  const float* scores = nullptr;
  const float* offsets = nullptr;
};

struct HeadGradients {
  float* scores = nullptr;
  float* offsets = nullptr;
};

struct Divisors {
  /// Matched priors of the whole batch; counts as 1 where there are none.
  double positives = 0.0;
  /// Teacher's mass of the whole batch; counts as 1 below.
  double teacher_mass = 0.0;
};

struct LossParts {
  double total = 0.0;
  /// Weighted and divided, so that they add up to `total`.
  double classes = 0.0;
  double boxes = 0.0;
  double teacher_classes = 0.0;
  double teacher_boxes = 0.0;
  /// Of the trainer's FeatureLoss.
  double teacher_features = 0.0;
  size_t positives = 0;
  size_t negatives = 0;
  /// First picture with a score or offset that is NaN or infinite, -1 where there is none. Nothing else counts then.
  int64_t bad_picture = -1;
  int64_t bad_prior = -1;

  /// Joins the parts of other pictures, of which the first is number `first_picture` here.
  void Add(const LossParts& part, size_t first_picture = 0);
};

class DetectionLoss {
 public:
  /// `priors` (count, 4): cx, cy, w, h. Batches hold at most `pictures`.
  DetectionLoss(const LossSettings& settings, const float* priors, size_t count, size_t pictures,
                Isa isa = ActiveIsa());

  /// Matches the priors of a batch; Run works on what was matched last. Returns the number of matched priors. Throws
  /// std::invalid_argument for a label that is not one of 1 … classes - 1, or more pictures than there is room for.
  size_t Match(std::span<const Truth> batch, ThreadPool& pool);

  /// Σ over the batch of the teacher's confidence, where it reaches the threshold.
  double TeacherMass(const float* teacher_scores, size_t pictures, ThreadPool& pool);

  /// Losses of the batch matched last; writes every element of both gradients. `teacher` may be empty where its weights
  /// are 0.
  LossParts Run(const HeadOutputs& outputs, const HeadOutputs& teacher, const Divisors& divisors,
                const HeadGradients& gradients, ThreadPool& pool);

  /// Of picture i: the truth of each prior (-1: none), and, after Run, 1 where a background prior was mined.
  std::span<const int32_t> Matched(size_t i) const { return {matched_.data() + i * priors_, priors_}; }
  std::span<const uint8_t> Mined(size_t i) const { return {mined_.data() + i * priors_, priors_}; }

 private:
  struct Scratch {
    PriorMatcher::Scratch match;
    std::vector<uint32_t> order;
    std::vector<double> log_sums;
    std::vector<double> losses;
    std::vector<double> row;
    std::vector<float> seen;
    std::vector<float> teacher_seen;
    ClassTerms terms;
  };

  LossParts RunPicture(size_t i, const HeadOutputs& outputs, const HeadOutputs& teacher, const Divisors& divisors,
                       const HeadGradients& gradients);
  /// A prior's scores as they are compared: background's is 0 where they go through sigmoids.
  static const float* Seen(const float* scores, bool sigmoids, std::vector<float>& copy);
  int64_t FirstBadPrior(const float* scores, const float* offsets) const;

  LossSettings settings_;
  size_t priors_;
  PriorMatcher matcher_;
  std::vector<Truth> truths_;
  std::vector<int32_t> matched_;
  std::vector<uint8_t> mined_;
  std::vector<size_t> positives_;
  std::vector<double> masses_;
  std::vector<LossParts> parts_;
  std::vector<Scratch> scratch_;  // one a picture: who computes it doesn't matter
};

}  // namespace ssd_prune
