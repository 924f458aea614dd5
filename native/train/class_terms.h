// Loss terms of one prior's class scores. Each returns the term's value and adds `scale` times its gradient to
// `gradient`. Everything is computed in float64; scores are float32 as the network makes them. Class 0 is background.
//
// The sigmoid terms look at margins m_c = x_c - x_0, c >= 1: the scores of heads trained with sigmoids, whose
// background score is constant 0, are their own margins, and for heads trained with softmax σ(m_c) is the chance of
// class c against background. Like the softmax that decodes detections they don't change when all scores move together.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/isa.h"
#include "train/vector_math.h"

namespace ssd_prune {

struct FocalShape {
  /// Weight of the class that is there; 1 - alpha that of those that are not. Negative: both weigh 1.
  double alpha = 0.25;
  /// How much less a prior counts that is already right.
  double gamma = 2.0;
};

/// The terms, with the memory that they work in: one object a thread. The same bits on every instruction set.
class ClassTerms {
 public:
  explicit ClassTerms(size_t classes, Isa isa = ActiveIsa());

  /// ln Σ exp(x).
  double LogSumExp(const float* scores);

  /// Softmax cross entropy ln Σ exp(x) - x_label; `log_sum` is LogSumExp of the scores.
  double Softmax(const float* scores, size_t label, double log_sum, double scale, double* gradient);

  /// Σ over classes c >= 1 of -α_t (1 - p_t)^γ ln p_t, where p = σ(m_c) and p_t is p for c = label, else 1 - p.
  double Focal(const float* scores, size_t label, const FocalShape& shape, double scale, double* gradient);

  /// T² KL(softmax(teacher / T) ‖ softmax(scores / T)).
  double SoftmaxDistance(const float* scores, const float* teacher, double temperature, double scale, double* gradient);

  /// T² Σ over classes c >= 1 of KL(σ(teacher's m_c / T) ‖ σ(m_c / T)): binary cross entropy less its least value.
  double SigmoidDistance(const float* scores, const float* teacher, double temperature, double scale, double* gradient);

  /// Probability, by softmax, of the likeliest class that is not background.
  double Confidence(const float* scores);

 private:
  /// A row of values, padded to whole blocks; padding is harmless.
  using Row = std::vector<double>;
  struct Sigmoids {
    Row p, log_p, log_q;
  };

  /// powers = exp((x - top) / T); returns ln of their sum.
  double Powers(const float* scores, double inverse_temperature, double top, Row& powers);
  /// Of m_1 …, at 0 …
  void SigmoidsOf(const float* scores, double inverse_temperature, Sigmoids& sigmoids);

  size_t classes_;
  const VectorMath& math_;
  Row values_;
  Row mine_;
  Row theirs_;
  Sigmoids student_;
  Sigmoids teacher_;
};

}  // namespace ssd_prune
