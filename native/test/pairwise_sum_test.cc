#include "prune/pairwise_sum.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "test/noise.h"

namespace ssd_prune {
namespace {

// Expected bits are those of NumPy 2.4.6: np.add.reduce(np.abs(v)).view(np.uint32), v as in noise.h with seed 12345.
// Lengths lie around the borders of its blocks of 8 and 128; one rounding more or less changes the last bits.
TEST(PairwiseAbsSum, HasNumPysBits) {
  const std::vector<std::pair<size_t, uint32_t>> expected = {
      {1, 0x3f7fffa0},   {7, 0x4070e42c},    {8, 0x408390f5},    {9, 0x409ffff4},
      {15, 0x40f87216},  {127, 0x427ff285},  {128, 0x4280032c},  {129, 0x42819438},
      {136, 0x4288032c}, {137, 0x4289cd49},  {255, 0x42fff941},  {256, 0x43002f26},
      {257, 0x4300c032}, {1000, 0x43fa038e}, {4608, 0x451002f5}, {9217, 0x459006e3}};
  for (const auto& [count, bits] : expected) {
    EXPECT_EQ(std::bit_cast<uint32_t>(PairwiseAbsSum(Noise(count, 12345).data(), count)), bits) << count << " values";
  }
}

TEST(PairwiseAbsSum, NothingIsZero) { EXPECT_EQ(PairwiseAbsSum(nullptr, 0), 0.0F); }

}  // namespace
}  // namespace ssd_prune
