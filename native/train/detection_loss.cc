#include "train/detection_loss.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

#include "train/hard_negatives.h"

namespace ssd_prune {
namespace {

/// Whether none is NaN or infinite: those have all bits of the exponent set. No branch, so it runs in lanes.
bool AllFinite(const float* values, size_t count) {
  constexpr uint32_t kExponent = 0x7f800000U;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) bad |= (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent ? 1U : 0U;
  return bad == 0;
}

/// Smooth L1 of four offsets, Σ of d²/2 where |d| < 1 and |d| - 1/2 elsewhere; adds `scale` times its gradient.
template <typename Target>
double SmoothL1(const float offsets[4], const Target targets[4], double scale, float gradient[4]) {
  double loss = 0.0;
  for (size_t i = 0; i < 4; ++i) {
    const double d = static_cast<double>(offsets[i]) - targets[i];
    loss += std::abs(d) < 1.0 ? 0.5 * d * d : std::abs(d) - 0.5;
    gradient[i] += static_cast<float>(scale * std::clamp(d, -1.0, 1.0));
  }
  return loss;
}

}  // namespace

void LossParts::Add(const LossParts& part, size_t first_picture) {
  if (part.bad_picture >= 0 && bad_picture < 0) {
    bad_picture = part.bad_picture + static_cast<int64_t>(first_picture);
    bad_prior = part.bad_prior;
  }
  total += part.total;
  classes += part.classes;
  boxes += part.boxes;
  teacher_classes += part.teacher_classes;
  teacher_boxes += part.teacher_boxes;
  teacher_features += part.teacher_features;
  positives += part.positives;
  negatives += part.negatives;
}

DetectionLoss::DetectionLoss(const LossSettings& settings, const float* priors, size_t count, size_t pictures, Isa isa)
    : settings_(settings),
      priors_(count),
      matcher_(priors, count, settings.overlap),
      matched_(pictures * count),
      mined_(pictures * count),
      positives_(pictures),
      masses_(pictures),
      parts_(pictures) {
  truths_.reserve(pictures);
  for (size_t i = 0; i < pictures; ++i) {
    scratch_.push_back({.match = {},
                        .order = {},
                        .log_sums = std::vector<double>(count),
                        .losses = std::vector<double>(count),
                        .row = std::vector<double>(settings.classes),
                        .seen = std::vector<float>(settings.classes),
                        .teacher_seen = std::vector<float>(settings.classes),
                        .terms = ClassTerms(settings.classes, isa)});
    scratch_.back().order.reserve(count);
  }
}

size_t DetectionLoss::Match(std::span<const Truth> batch, ThreadPool& pool) {
  if (batch.size() > parts_.size()) throw std::invalid_argument("more pictures than the loss has room for");
  for (const Truth& truth : batch) {
    for (size_t t = 0; t < truth.count; ++t) {
      if (truth.labels[t] >= 1 && static_cast<size_t>(truth.labels[t]) < settings_.classes) continue;
      throw std::invalid_argument("label " + std::to_string(truth.labels[t]) + " is not a class from 1 to " +
                                  std::to_string(settings_.classes - 1));
    }
  }
  truths_.assign(batch.begin(), batch.end());
  pool.ForEach(batch.size(), [&](size_t i) {
    positives_[i] = matcher_.Match(truths_[i], matched_.data() + i * priors_, scratch_[i].match);
  });
  size_t sum = 0;
  for (size_t i = 0; i < batch.size(); ++i) sum += positives_[i];
  return sum;
}

double DetectionLoss::TeacherMass(const float* teacher_scores, size_t pictures, ThreadPool& pool) {
  const size_t classes = settings_.classes;
  pool.ForEach(pictures, [&](size_t i) {
    masses_[i] = 0.0;
    for (size_t p = 0; p < priors_; ++p) {
      const float* y = teacher_scores + (i * priors_ + p) * classes;
      const double confidence =
          scratch_[i].terms.Confidence(Seen(y, settings_.teacher_sigmoid_scores, scratch_[i].teacher_seen));
      if (confidence >= settings_.teacher_confidence) masses_[i] += confidence;
    }
  });
  double sum = 0.0;
  for (size_t i = 0; i < pictures; ++i) sum += masses_[i];
  return sum;
}

LossParts DetectionLoss::Run(const HeadOutputs& outputs, const HeadOutputs& teacher, const Divisors& divisors,
                             const HeadGradients& gradients, ThreadPool& pool) {
  const size_t pictures = truths_.size();
  pool.ForEach(pictures, [&](size_t i) { parts_[i] = RunPicture(i, outputs, teacher, divisors, gradients); });
  LossParts sum;
  for (size_t i = 0; i < pictures; ++i) {
    sum.Add(parts_[i]);
  }
  sum.total = sum.classes + sum.boxes + sum.teacher_classes + sum.teacher_boxes;
  return sum;
}

const float* DetectionLoss::Seen(const float* scores, bool sigmoids, std::vector<float>& copy) {
  if (!sigmoids) return scores;
  std::copy(scores, scores + copy.size(), copy.begin());
  copy[0] = 0.0F;
  return copy.data();
}

LossParts DetectionLoss::RunPicture(size_t i, const HeadOutputs& outputs, const HeadOutputs& teacher,
                                    const Divisors& divisors, const HeadGradients& gradients) {
  const LossSettings& s = settings_;
  const size_t classes = s.classes;
  Scratch& scratch = scratch_[i];
  ClassTerms& terms = scratch.terms;
  const float* scores = outputs.scores + i * priors_ * classes;
  const float* offsets = outputs.offsets + i * priors_ * 4;
  const int32_t* matched = matched_.data() + i * priors_;
  uint8_t* mined = mined_.data() + i * priors_;
  LossParts parts;
  parts.positives = positives_[i];
  if (const int64_t bad = FirstBadPrior(scores, offsets); bad >= 0) {
    parts.bad_picture = static_cast<int64_t>(i);
    parts.bad_prior = bad;
    return parts;
  }

  const bool softmax = s.class_loss == ClassLoss::kSoftmax;
  if (softmax && positives_[i] > 0) {
    for (size_t p = 0; p < priors_; ++p) {
      const float* x = Seen(scores + p * classes, s.sigmoid_scores, scratch.seen);
      scratch.log_sums[p] = terms.LogSumExp(x);
      scratch.losses[p] = scratch.log_sums[p] - x[0];
    }
    parts.negatives = MineHardNegatives(matched, scratch.losses.data(), priors_, positives_[i], s.negative_ratio, mined,
                                        scratch.order);
  } else {
    std::fill(mined, mined + priors_, uint8_t{0});
  }

  const double truth_share = 1.0 / std::max(1.0, divisors.positives);
  const double teacher_share = 1.0 / std::max(1.0, divisors.teacher_mass);
  const bool taught = teacher.scores != nullptr && (s.teacher_class_weight != 0.0 || s.teacher_box_weight != 0.0);
  double* row = scratch.row.data();
  for (size_t p = 0; p < priors_; ++p) {
    const size_t at = i * priors_ + p;
    const float* x = Seen(scores + p * classes, s.sigmoid_scores, scratch.seen);
    const float* offset = offsets + p * 4;
    float* offset_gradient = gradients.offsets + at * 4;
    std::fill(row, row + classes, 0.0);
    std::fill(offset_gradient, offset_gradient + 4, 0.0F);

    const bool positive = matched[p] >= 0;
    const size_t label = positive ? static_cast<size_t>(truths_[i].labels[matched[p]]) : 0;
    const double class_scale = s.class_weight * truth_share;
    if (!softmax) {
      parts.classes += class_scale * terms.Focal(x, label, s.focal, class_scale, row);
    } else if (positive || mined[p]) {
      parts.classes += class_scale * terms.Softmax(x, label, scratch.log_sums[p], class_scale, row);
    }
    if (positive) {
      double target[4];
      matcher_.Encode(p, truths_[i].boxes + 4 * matched[p], s.variances, target);
      const double scale = s.box_weight * truth_share;
      parts.boxes += scale * SmoothL1(offset, target, scale, offset_gradient);
    }
    if (taught) {
      const float* y = Seen(teacher.scores + at * classes, s.teacher_sigmoid_scores, scratch.teacher_seen);
      const double confidence = terms.Confidence(y);
      const double weight = s.teacher_background + (1.0 - s.teacher_background) * confidence;
      const double scale = s.teacher_class_weight * teacher_share * weight;
      const auto term =
          s.teacher_loss == TeacherLoss::kSoftmax ? &ClassTerms::SoftmaxDistance : &ClassTerms::SigmoidDistance;
      if (scale != 0.0) parts.teacher_classes += scale * (terms.*term)(x, y, s.temperature, scale, row);
      if (s.teacher_box_weight != 0.0 && confidence >= s.teacher_confidence) {
        const double box_scale = s.teacher_box_weight * teacher_share * confidence;
        parts.teacher_boxes += box_scale * SmoothL1(offset, teacher.offsets + at * 4, box_scale, offset_gradient);
      }
    }
    if (!s.trains_background || s.sigmoid_scores) row[0] = 0.0;
    float* score_gradient = gradients.scores + at * classes;
    for (size_t c = 0; c < classes; ++c) score_gradient[c] = static_cast<float>(row[c]);
  }
  return parts;
}

int64_t DetectionLoss::FirstBadPrior(const float* scores, const float* offsets) const {
  const size_t classes = settings_.classes;
  if (AllFinite(scores, priors_ * classes) && AllFinite(offsets, priors_ * 4)) return -1;
  size_t p = 0;
  while (AllFinite(scores + p * classes, classes) && AllFinite(offsets + p * 4, 4)) ++p;
  return static_cast<int64_t>(p);
}

}  // namespace ssd_prune
