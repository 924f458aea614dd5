#include "prune/rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/isa.h"
#include "kernels/thread_pool.h"
#include "prune/channel_view.h"
#include "prune/distance.h"
#include "prune/geometry_median.h"
#include "test/noise.h"

namespace ssd_prune {
namespace {

const std::byte* Bytes(const auto& values) { return reinterpret_cast<const std::byte*>(values.data()); }

std::vector<double> Rank(RankJob job, int threads = 1) {
  std::vector<double> scores(job.dims[job.axis], -1);
  job.scores = scores.data();
  ThreadPool pool(threads);
  RankBatch({&job, 1}, pool);
  return scores;
}

// Three filters of two inputs: (3, −4), (−1, 0), (0, 2).
const std::vector<float> kFilters = {3, -4, -1, 0, 0, 2};

RankJob Filters(Criterion criterion, size_t axis = 0) {
  return {Bytes(kFilters), DataType::kFloat32, {3, 2}, axis, criterion, {std::nullopt, std::nullopt}, nullptr};
}

TEST(Rank, NormsByHand) {
  EXPECT_EQ(Rank(Filters(Criterion::kL1Norm)), (std::vector<double>{7, 1, 2}));
  EXPECT_EQ(Rank(Filters(Criterion::kL2Norm)), (std::vector<double>{5, 1, 2}));
  EXPECT_EQ(Rank(Filters(Criterion::kL1Paddle1x)), (std::vector<double>{7, 1, 2}));
  // Along the inputs, as a transposed convolution has its channels.
  EXPECT_EQ(Rank(Filters(Criterion::kL1Norm, 1)), (std::vector<double>{4, 6}));
  EXPECT_EQ(Rank(Filters(Criterion::kL2Norm, 1)), (std::vector<double>{std::sqrt(10.0), std::sqrt(20.0)}));
}

TEST(Rank, GeometryMedianByHand) {
  // Distances: 0–1 (4, −4), 0–2 (3, −6), 1–2 (−1, −2).
  const double a = std::sqrt(32.0);
  const double b = std::sqrt(45.0);
  const double c = std::sqrt(5.0);
  EXPECT_EQ(Rank(Filters(Criterion::kGeometryMedian)), (std::vector<double>{a + b, a + c, b + c}));
}

TEST(Rank, OnlyKeptInputsCount) {
  const std::vector<int32_t> second = {1};
  RankJob job = Filters(Criterion::kL1Norm);
  job.keep[1] = second;
  EXPECT_EQ(Rank(job), (std::vector<double>{4, 0, 2}));
  job.criterion = Criterion::kGeometryMedian;
  EXPECT_EQ(Rank(job), (std::vector<double>{10, 6, 8}));
}

TEST(Rank, ReadsEveryFormatAtAnyAddress) {
  // 1.5, −0.25, 2 and the smallest subnormal of binary16, 2^-24.
  const std::vector<uint16_t> half = {0x3e00, 0xb400, 0x4000, 0x0001};
  const std::vector<uint16_t> brain = {0x3fc0, 0xbe80, 0x4000, 0x3380};  // the last is 2^-24
  const std::vector<double> whole = {1.5, -0.25, 2, 0x1p-24};
  const std::vector<double> expected = {1.75, 2 + 0x1p-24};
  const auto rank = [](const void* from, size_t bytes, DataType type) {
    std::vector<std::byte> shifted(bytes + 1);
    std::memcpy(shifted.data() + 1, from, bytes);
    return Rank({shifted.data() + 1, type, {2, 2}, 0, Criterion::kL1Norm, {std::nullopt, std::nullopt}, nullptr});
  };
  EXPECT_EQ(rank(half.data(), 8, DataType::kFloat16), expected);
  EXPECT_EQ(rank(brain.data(), 8, DataType::kBfloat16), expected);
  EXPECT_EQ(rank(whole.data(), 32, DataType::kFloat64), expected);
}

TEST(Rank, SumsAreFloat64InIndexOrder) {
  const size_t count = 5000;
  const std::vector<float> values = Noise(2 * count, 7);
  std::vector<double> expected(2, 0);
  for (size_t c = 0; c < 2; ++c) {
    for (size_t i = 0; i < count; ++i) expected[c] += std::fabs(static_cast<double>(values[c * count + i]));
  }
  EXPECT_EQ(Rank({Bytes(values), DataType::kFloat32, {2, count}, 0, Criterion::kL1Norm, {{}, {}}, nullptr}), expected);
}

TEST(Rank, ThreadsChangeNoBit) {
  // Odd sizes, and big enough for several pieces.
  const std::vector<size_t> dims = {131, 67, 3, 3};
  const std::vector<float> values = Noise(131 * 67 * 9, 99);
  for (const Criterion criterion :
       {Criterion::kL1Norm, Criterion::kL2Norm, Criterion::kGeometryMedian, Criterion::kL1Paddle1x}) {
    const RankJob job{Bytes(values), DataType::kFloat32, dims, 0, criterion, std::vector<Kept>(4), nullptr};
    const std::vector<double> alone = Rank(job);
    for (int threads = 2; threads <= 5; ++threads) EXPECT_EQ(Rank(job, threads), alone) << threads << " threads";
  }
}

TEST(Distances, EveryInstructionSetHasThePortableBits) {
  // 29 channels: the last panel is not full. Lengths around what a register holds.
  for (const size_t length : {1, 2, 3, 7, 8, 9, 31, 576}) {
    const std::vector<float> values = Noise(29 * length, static_cast<uint32_t>(length));
    const ChannelPanels panels({Bytes(values), DataType::kFloat32, 1, 29, length});
    std::vector<double> portable(29);
    panels.Scores(Isa::kPortable, 0, 29, portable.data());
    for (const Isa isa : SupportedIsas()) {
      std::vector<double> scores(29);
      panels.Scores(isa, 0, 29, scores.data());
      EXPECT_EQ(scores, portable) << IsaName(isa) << ", length " << length;
    }
    for (size_t i = 0; i < 29; ++i) {
      double sum = 0;
      for (size_t j = 0; j < 29; ++j) {
        double squares = 0;
        for (size_t k = 0; k < length; ++k) {
          const double apart = static_cast<double>(values[i * length + k]) - values[j * length + k];
          squares += apart * apart;
        }
        sum += std::sqrt(squares);
      }
      EXPECT_DOUBLE_EQ(portable[i], sum) << "channel " << i << ", length " << length;
    }
  }
}

}  // namespace
}  // namespace ssd_prune
