// Loss terms of one prior's class scores. Each returns the term's value and adds `scale` times its gradient to
// `gradient`. Everything is summed in float64; scores are float32 as the network makes them. Class 0 is background.
//
// The sigmoid terms look at margins m_c = x_c - x_0, c >= 1: the scores of heads trained with sigmoids, whose
// background score is constant 0, are their own margins, and for heads trained with softmax σ(m_c) is the chance of
// class c against background. Like the softmax that decodes detections they don't change when all scores move together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ssd_prune {

struct FocalShape {
  /// Weight of the class that is there; 1 - alpha that of those that are not. Negative: both weigh 1.
  double alpha = 0.25;
  /// How much less a prior counts that is already right.
  double gamma = 2.0;
};

/// ln Σ exp(x).
double LogSumExp(const float* scores, size_t classes);

/// Softmax cross entropy ln Σ exp(x) - x_label; `log_sum` is LogSumExp of the scores.
double SoftmaxTerm(const float* scores, size_t classes, size_t label, double log_sum, double scale, double* gradient);

/// Σ over classes c >= 1 of -α_t (1 - p_t)^γ ln p_t, where p = σ(m_c) and p_t is p for c = label, else 1 - p.
double FocalTerm(const float* scores, size_t classes, size_t label, const FocalShape& shape, double scale,
                 double* gradient);

/// T² KL(softmax(teacher / T) ‖ softmax(scores / T)).
double SoftmaxDistanceTerm(const float* scores, const float* teacher, size_t classes, double temperature, double scale,
                           double* gradient);

/// T² Σ over classes c >= 1 of KL(σ(teacher's m_c / T) ‖ σ(m_c / T)): binary cross entropy less its least value.
double SigmoidDistanceTerm(const float* scores, const float* teacher, size_t classes, double temperature, double scale,
                           double* gradient);

/// Probability, by softmax, of the likeliest class that is not background.
double Confidence(const float* scores, size_t classes);

/// Smooth L1 of four offsets: Σ of d²/2 where |d| < 1, |d| - 1/2 elsewhere.
double SmoothL1(const float offsets[4], const float targets[4], double scale, float gradient[4]);

}  // namespace ssd_prune
