#include "train/class_terms.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {

ClassTerms::ClassTerms(size_t classes, Isa isa) : classes_(classes), math_(VectorMathOf(isa)) {
  const size_t padded = MathPadded(classes);
  for (Row* row : {&values_, &mine_, &theirs_, &student_.p, &student_.log_p, &student_.log_q, &teacher_.p,
                   &teacher_.log_p, &teacher_.log_q}) {
    row->resize(padded);
  }
}

double ClassTerms::Powers(const float* scores, double inverse_temperature, double top, Row& powers) {
  for (size_t c = 0; c < classes_; ++c) powers[c] = (scores[c] - top) * inverse_temperature;
  math_.exp(powers.data(), powers.size(), powers.data());
  // Padding would grow from call to call.
  std::fill(powers.begin() + static_cast<ptrdiff_t>(classes_), powers.end(), 0.0);
  double sum = 0.0;
  for (size_t c = 0; c < classes_; ++c) sum += powers[c];
  return std::log(sum);
}

void ClassTerms::SigmoidsOf(const float* scores, double inverse_temperature, Sigmoids& sigmoids) {
  const double background = scores[0];
  for (size_t c = 1; c < classes_; ++c) values_[c - 1] = (scores[c] - background) * inverse_temperature;
  math_.sigmoid(values_.data(), MathPadded(classes_ - 1), sigmoids.p.data(), sigmoids.log_p.data(),
                sigmoids.log_q.data());
}

double ClassTerms::LogSumExp(const float* scores) {
  const double top = *std::max_element(scores, scores + classes_);
  return top + Powers(scores, 1.0, top, mine_);
}

double ClassTerms::Softmax(const float* scores, size_t label, double log_sum, double scale, double* gradient) {
  for (size_t c = 0; c < classes_; ++c) values_[c] = std::min(scores[c] - log_sum, 0.0);
  math_.exp(values_.data(), values_.size(), mine_.data());
  for (size_t c = 0; c < classes_; ++c) gradient[c] += scale * mine_[c];
  gradient[label] -= scale;
  return log_sum - scores[label];
}

double ClassTerms::Focal(const float* scores, size_t label, const FocalShape& shape, double scale, double* gradient) {
  SigmoidsOf(scores, 1.0, student_);
  // (1 - p_t)^γ and the slope's factor γ p_t ln p_t - (1 - p_t) of classes that are not there: p_t = 1 - p.
  const double* p = student_.p.data();
  const double* log_q = student_.log_q.data();
  const double absent = shape.alpha < 0 ? 1.0 : 1.0 - shape.alpha;
  const size_t count = classes_ - 1;
  double* focus = mine_.data();
  if (shape.gamma == 2.0) {
    for (size_t c = 0; c < count; ++c) focus[c] = p[c] * p[c];
  } else {
    for (size_t c = 0; c < mine_.size(); ++c) focus[c] = std::min(shape.gamma * student_.log_p[c], 0.0);
    math_.exp(focus, MathPadded(count), focus);
  }
  double* slopes = theirs_.data();
  double* losses = values_.data();
  for (size_t c = 0; c < count; ++c) {
    const double weight = absent * focus[c];
    losses[c] = -weight * log_q[c];
    slopes[c] = -weight * (shape.gamma * (1.0 - p[c]) * log_q[c] - p[c]);
  }
  if (label > 0) {
    const size_t c = label - 1;
    const double wrong = 1.0 - p[c];
    const double weight =
        (shape.alpha < 0 ? 1.0 : shape.alpha) * (shape.gamma == 2.0 ? wrong * wrong : std::exp(shape.gamma * log_q[c]));
    losses[c] = -weight * student_.log_p[c];
    slopes[c] = weight * (shape.gamma * p[c] * student_.log_p[c] - wrong);
  }
  double loss = 0.0;
  double background = 0.0;
  for (size_t c = 0; c < count; ++c) {
    loss += losses[c];
    background -= slopes[c];
    gradient[c + 1] += scale * slopes[c];
  }
  gradient[0] += scale * background;
  return loss;
}

double ClassTerms::SoftmaxDistance(const float* scores, const float* teacher, double temperature, double scale,
                                   double* gradient) {
  const double inverse = 1.0 / temperature;
  const double top_s = *std::max_element(scores, scores + classes_);
  const double top_t = *std::max_element(teacher, teacher + classes_);
  const double log_s = Powers(scores, inverse, top_s, mine_);
  const double log_t = Powers(teacher, inverse, top_t, theirs_);
  const double share_s = std::exp(-log_s);
  const double share_t = std::exp(-log_t);
  const double rest = log_s - log_t;
  double distance = 0.0;
  for (size_t c = 0; c < classes_; ++c) {
    const double p_t = theirs_[c] * share_t;
    distance += p_t * (((teacher[c] - top_t) - (scores[c] - top_s)) * inverse + rest);
    gradient[c] += scale * temperature * (mine_[c] * share_s - p_t);
  }
  return temperature * temperature * distance;
}

double ClassTerms::SigmoidDistance(const float* scores, const float* teacher, double temperature, double scale,
                                   double* gradient) {
  const double inverse = 1.0 / temperature;
  SigmoidsOf(scores, inverse, student_);
  SigmoidsOf(teacher, inverse, teacher_);
  const Sigmoids& s = student_;
  const Sigmoids& t = teacher_;
  double distance = 0.0;
  double background = 0.0;
  for (size_t c = 0; c + 1 < classes_; ++c) {
    distance += t.p[c] * (t.log_p[c] - s.log_p[c]) + (1.0 - t.p[c]) * (t.log_q[c] - s.log_q[c]);
    const double slope = scale * temperature * (s.p[c] - t.p[c]);
    gradient[c + 1] += slope;
    background -= slope;
  }
  gradient[0] += background;
  return temperature * temperature * distance;
}

double ClassTerms::Confidence(const float* scores) {
  const double likeliest = *std::max_element(scores + 1, scores + classes_);
  return std::exp(likeliest - LogSumExp(scores));
}

}  // namespace ssd_prune
