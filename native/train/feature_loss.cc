#include "train/feature_loss.h"

#include <algorithm>
#include <stdexcept>

namespace ssd_prune {
namespace {

/// Least mean square that a map counts with: one that is nearly 0 everywhere would outweigh all others.
constexpr double kLeastMeanSquare = 1e-4;

}  // namespace

FeatureLoss::FeatureLoss(Engine& student, Engine& teacher, double weight, size_t micro_steps) : weight_(weight) {
  if (student.features() != teacher.features()) throw std::invalid_argument("features that are no pairs");
  for (size_t i = 0; i < student.features(); ++i) {
    FeatureMap& own = student.feature(i);
    FeatureMap& theirs = teacher.feature(i);
    if (own.floats() != theirs.floats()) throw std::invalid_argument("a pair of features of different sizes");
    pairs_.push_back({&own, &theirs, std::vector<float>(micro_steps * own.floats()), 0.0});
  }
}

void FeatureLoss::BeginTeacher(size_t micro_step) {
  for (Pair& pair : pairs_) pair.teacher->Take(pair.wanted.data() + micro_step * pair.teacher->floats());
}

void FeatureLoss::EndTeacher(size_t micro_step) {
  for (Pair& pair : pairs_) pair.squares = (micro_step == 0 ? 0.0 : pair.squares) + pair.teacher->squares();
}

double FeatureLoss::Scale(const Pair& pair) const {
  const double least = kLeastMeanSquare * static_cast<double>(pair.wanted.size());
  return weight_ / static_cast<double>(pairs_.size()) / std::max(pair.squares, least);
}

void FeatureLoss::BeginStudent(size_t micro_step) {
  for (Pair& pair : pairs_) {
    pair.student->Compare(pair.wanted.data() + micro_step * pair.student->floats(), Scale(pair));
  }
}

double FeatureLoss::Loss() const {
  double loss = 0.0;
  for (const Pair& pair : pairs_) loss += Scale(pair) * pair.student->squares();
  return loss;
}

size_t FeatureLoss::bytes() const {
  size_t floats = 0;
  for (const Pair& pair : pairs_) floats += pair.wanted.size();
  return floats * sizeof(float);
}

}  // namespace ssd_prune
