#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ssd_prune {
namespace {

TEST(Isa, PortableIsAlwaysThereAndLast) {
  const auto isas = SupportedIsas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.back(), Isa::kPortable);
  EXPECT_TRUE(std::is_sorted(isas.rbegin(), isas.rend()));
}

TEST(Isa, ActiveIsSupported) {
  const auto isas = SupportedIsas();
  EXPECT_NE(std::find(isas.begin(), isas.end(), ActiveIsa()), isas.end());
}

}  // namespace
}  // namespace ssd_prune
