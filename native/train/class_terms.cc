#include "train/class_terms.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {
namespace {

/// ln σ(m) and ln σ(-m), and σ(m), from one exponential.
struct Sigmoid {
  double log_p;
  double log_q;
  double p;
};

Sigmoid SigmoidOf(double m) {
  const double e = std::exp(-std::abs(m));
  const double log_of_likelier = -std::log1p(e);
  const double log_of_other = log_of_likelier - std::abs(m);
  const double likelier = 1.0 / (1.0 + e);
  if (m >= 0) return {log_of_likelier, log_of_other, likelier};
  return {log_of_other, log_of_likelier, e * likelier};
}

/// Σ exp((x - top) / T) and top.
struct Scaled {
  double top;
  double log_sum;  // of exp((x - top) / T)
};

Scaled ScaledSum(const float* scores, size_t classes, double inverse_temperature) {
  const double top = *std::max_element(scores, scores + classes);
  double sum = 0.0;
  for (size_t c = 0; c < classes; ++c) sum += std::exp((scores[c] - top) * inverse_temperature);
  return {top, std::log(sum)};
}

}  // namespace

double LogSumExp(const float* scores, size_t classes) {
  const auto [top, log_sum] = ScaledSum(scores, classes, 1.0);
  return top + log_sum;
}

double SoftmaxTerm(const float* scores, size_t classes, size_t label, double log_sum, double scale, double* gradient) {
  for (size_t c = 0; c < classes; ++c) gradient[c] += scale * std::exp(scores[c] - log_sum);
  gradient[label] -= scale;
  return log_sum - scores[label];
}

double FocalTerm(const float* scores, size_t classes, size_t label, const FocalShape& shape, double scale,
                 double* gradient) {
  double loss = 0.0;
  double background = 0.0;
  for (size_t c = 1; c < classes; ++c) {
    const double m = static_cast<double>(scores[c]) - scores[0];
    const bool there = c == label;
    // With the sign of m turned, a class that isn't there is one whose absence is there.
    const Sigmoid s = SigmoidOf(there ? m : -m);
    const double alpha = shape.alpha < 0 ? 1.0 : (there ? shape.alpha : 1.0 - shape.alpha);
    const double wrong = 1.0 - s.p;
    const double focus = shape.gamma == 2.0 ? wrong * wrong : std::exp(shape.gamma * s.log_q);
    loss -= alpha * focus * s.log_p;
    const double slope = alpha * focus * (shape.gamma * s.p * s.log_p - wrong) * (there ? scale : -scale);
    gradient[c] += slope;
    background -= slope;
  }
  gradient[0] += background;
  return loss;
}

double SoftmaxDistanceTerm(const float* scores, const float* teacher, size_t classes, double temperature, double scale,
                           double* gradient) {
  const double inverse = 1.0 / temperature;
  const Scaled s = ScaledSum(scores, classes, inverse);
  const Scaled t = ScaledSum(teacher, classes, inverse);
  double distance = 0.0;
  for (size_t c = 0; c < classes; ++c) {
    const double log_s = (scores[c] - s.top) * inverse - s.log_sum;
    const double log_t = (teacher[c] - t.top) * inverse - t.log_sum;
    const double p_t = std::exp(log_t);
    distance += p_t * (log_t - log_s);
    gradient[c] += scale * temperature * (std::exp(log_s) - p_t);
  }
  return temperature * temperature * distance;
}

double SigmoidDistanceTerm(const float* scores, const float* teacher, size_t classes, double temperature, double scale,
                           double* gradient) {
  const double inverse = 1.0 / temperature;
  double distance = 0.0;
  double background = 0.0;
  for (size_t c = 1; c < classes; ++c) {
    const Sigmoid s = SigmoidOf((static_cast<double>(scores[c]) - scores[0]) * inverse);
    const Sigmoid t = SigmoidOf((static_cast<double>(teacher[c]) - teacher[0]) * inverse);
    distance += t.p * (t.log_p - s.log_p) + (1.0 - t.p) * (t.log_q - s.log_q);
    const double slope = scale * temperature * (s.p - t.p);
    gradient[c] += slope;
    background -= slope;
  }
  gradient[0] += background;
  return temperature * temperature * distance;
}

double Confidence(const float* scores, size_t classes) {
  const float likeliest = *std::max_element(scores + 1, scores + classes);
  return std::exp(likeliest - LogSumExp(scores, classes));
}

double SmoothL1(const float offsets[4], const float targets[4], double scale, float gradient[4]) {
  double loss = 0.0;
  for (size_t i = 0; i < 4; ++i) {
    const double d = static_cast<double>(offsets[i]) - targets[i];
    loss += std::abs(d) < 1.0 ? 0.5 * d * d : std::abs(d) - 0.5;
    gradient[i] += static_cast<float>(scale * std::clamp(d, -1.0, 1.0));
  }
  return loss;
}

}  // namespace ssd_prune
