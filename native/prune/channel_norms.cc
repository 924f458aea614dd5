#include "prune/channel_norms.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "prune/pairwise_sum.h"

namespace ssd_prune {
namespace {

struct Absolute {
  static double Of(double value) { return std::fabs(value); }
};

struct Square {
  static double Of(double value) { return value * value; }
};

/// Channels summed side by side: one channel's sum is a chain of additions, several hide its latency.
constexpr size_t kLanes = 8;

/// Sums of `count` ≤ kLanes channels from `first`.
template <class Element, class Term, size_t kCount>
void SumLanes(const ChannelView& view, size_t first, double* sums) {
  double sum[kCount] = {};
  const size_t channel_bytes = view.inner * Element::kSize;
  for (size_t outer = 0; outer < view.outer; ++outer) {
    const std::byte* at = view.bytes + (outer * view.channels + first) * channel_bytes;
    for (size_t i = 0; i < view.inner; ++i, at += Element::kSize) {
      for (size_t lane = 0; lane < kCount; ++lane) sum[lane] += Term::Of(Element::Load(at + lane * channel_bytes));
    }
  }
  std::copy_n(sum, kCount, sums);
}

template <class Element, class Term>
void Sums(const ChannelView& view, size_t from, size_t to, double* scores) {
  if (view.inner == 1 && view.outer > 1) {
    // Neighbouring elements belong to neighbouring channels: one pass over the rows, all sums at once.
    std::fill(scores + from, scores + to, 0.0);
    for (size_t outer = 0; outer < view.outer; ++outer) {
      const std::byte* row = view.bytes + outer * view.channels * Element::kSize;
      for (size_t c = from; c < to; ++c) scores[c] += Term::Of(Element::Load(row + c * Element::kSize));
    }
    return;
  }
  size_t c = from;
  for (; c + kLanes <= to; c += kLanes) SumLanes<Element, Term, kLanes>(view, c, scores + c);
  for (; c < to; ++c) SumLanes<Element, Term, 1>(view, c, scores + c);
}

void PaddleSums(const ChannelView& view, size_t from, size_t to, double* scores) {
  std::vector<float> channel(view.inner);  // aligned
  const size_t channel_bytes = view.inner * sizeof(float);
  for (size_t c = from; c < to; ++c) {
    if (channel_bytes > 0) std::memcpy(channel.data(), view.bytes + c * channel_bytes, channel_bytes);
    scores[c] = static_cast<double>(PairwiseAbsSum(channel.data(), view.inner));
  }
}

}  // namespace

void ChannelNorms(const ChannelView& view, Criterion criterion, size_t from, size_t to, double* scores) {
  if (criterion == Criterion::kL1Paddle1x) return PaddleSums(view, from, to, scores);
  WithElement(view.type, [&](auto element) {
    using Element = decltype(element);
    if (criterion == Criterion::kL1Norm) return Sums<Element, Absolute>(view, from, to, scores);
    Sums<Element, Square>(view, from, to, scores);
    for (size_t c = from; c < to; ++c) scores[c] = std::sqrt(scores[c]);
  });
}

}  // namespace ssd_prune
