// What inner maps cost that differ from the teacher's: w / n · Σ over n maps of Σ(s − t)² / Σt², sums over the pictures
// of a step, their places, and the channels that both have. Dividing by the teacher's own squares makes maps of any
// size and scale count alike, but that a mean square below 1e-4 counts as that.
#pragma once

#include <vector>

#include "engine/engine.h"

namespace ssd_prune {

class FeatureLoss {
 public:
  /// Features of both graphs are pairs, in order. Throws std::invalid_argument where their sizes or channels differ.
  FeatureLoss(Engine& student, Engine& teacher, double weight, size_t micro_steps);

  /// The teacher's pass `micro_step` of a step, from 0 on, each once: before it, and after it.
  void BeginTeacher(size_t micro_step);
  void EndTeacher(size_t micro_step);
  /// Before the student's pass, when the teacher saw the whole step.
  void BeginStudent(size_t micro_step);
  /// After the student's forward pass: what it adds to the loss. Its backward pass adds the gradient.
  double Loss() const;

  /// Memory of the teacher's maps of a step, float32.
  size_t bytes() const;

 private:
  struct Pair {
    FeatureMap* student;
    FeatureMap* teacher;
    /// Of the whole step, one pass after the other.
    std::vector<float> wanted;
    double squares;
  };
  double Scale(const Pair& pair) const;

  double weight_;
  std::vector<Pair> pairs_;
};

}  // namespace ssd_prune
