// Every kernel on every instruction set of the machine against sums in double, one number at a time.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/buffer.h"
#include "kernels/float_formats.h"
#include "kernels/peak.h"
#include "test/bfloat16.h"
#include "test/random.h"

namespace ssd_prune {
namespace {

class KernelTest : public testing::TestWithParam<Isa> {
 protected:
  const Kernels& kernels = KernelsOf(GetParam());
};

INSTANTIATE_TEST_SUITE_P(EveryIsa, KernelTest, testing::ValuesIn(SupportedIsas()),
                         [](const auto& test) { return std::string(IsaName(test.param)); });

/// Every precision of every instruction set of the machine.
std::vector<std::pair<Isa, Precision>> Products() {
  std::vector<std::pair<Isa, Precision>> products;
  for (const Isa isa : SupportedIsas()) {
    products.emplace_back(isa, Precision::kFloat32);
    if (HasPrecision(isa, Precision::kBfloat16)) products.emplace_back(isa, Precision::kBfloat16);
  }
  return products;
}

class ProductTest : public testing::TestWithParam<std::pair<Isa, Precision>> {
 protected:
  const Kernels& kernels = KernelsOf(GetParam().first, GetParam().second);
  const bool pairs = GetParam().second == Precision::kBfloat16;

  /// Numbers as products take them.
  std::vector<float> Numbers(size_t count, uint64_t seed) const {
    std::vector<float> numbers = RandomFloats(count, seed);
    for (float& number : numbers) number = pairs ? ToBfloat16(number) : number;
    return numbers;
  }
  /// A reduction's length in floats.
  size_t Folded(size_t count) const { return (count + kernels.fold - 1) / kernels.fold; }
};

INSTANTIATE_TEST_SUITE_P(EveryPrecision, ProductTest, testing::ValuesIn(Products()), [](const auto& test) {
  return std::string(IsaName(test.param.first)) + (test.param.second == Precision::kBfloat16 ? "Bfloat16" : "");
});

/// b[k][columns] in the panels that multiply_rows reads.
std::vector<float> Panels(const Kernels& kernels, const std::vector<float>& b, size_t k, size_t columns) {
  const size_t panel = kernels.panel;
  const size_t panels = (columns + panel - 1) / panel;
  std::vector<float> packed;
  for (size_t first = 0; first < columns; first += panel) {
    std::vector<float> rows(k * panel);
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = first; j < std::min(columns, first + panel); ++j)
        rows[i * panel + j - first] = b[i * columns + j];
    }
    if (kernels.fold_columns != nullptr) {
      kernels.fold_columns(rows.data(), panel, k, panel, rows.data(), panel);
      rows.resize((k + 1) / 2 * panel);
    }
    packed.insert(packed.end(), rows.begin(), rows.end());
  }
  EXPECT_EQ(packed.size(), panels * panel * ((k + kernels.fold - 1) / kernels.fold));
  return packed;
}

TEST_P(ProductTest, MultiplyRows) {
  for (const size_t rows : {1, 2, 5, 6, 7, 13, 14, 15, 29, 112}) {
    for (const size_t k : {1, 37, 256}) {
      for (const size_t columns : {16, 32, 48, 80}) {
        const auto a = Numbers(rows * kPackPitch, rows);
        auto factor = a;
        if (pairs) kernels.fold_rows(a.data(), kPackPitch, rows, k, factor.data(), kPackPitch);
        const auto b = Numbers(k * columns, k + columns);
        const auto packed = Panels(kernels, b, k, columns);
        const size_t pitch = columns + 16;
        const auto before = RandomFloats(rows * pitch, 3);
        for (const bool add : {false, true}) {
          auto c = before;
          kernels.multiply_rows(factor.data(), rows, Folded(k), packed.data(), columns, c.data(), pitch, add, nullptr);
          for (size_t r = 0; r < rows; ++r) {
            for (size_t j = 0; j < pitch; ++j) {
              double sum = add || j >= columns ? before[r * pitch + j] : 0;
              for (size_t i = 0; i < k && j < columns; ++i) sum += double{a[r * kPackPitch + i]} * b[i * columns + j];
              ASSERT_NEAR(c[r * pitch + j], sum, 2e-5) << rows << "x" << k << "x" << columns << " at " << r << "," << j;
            }
          }
        }
      }
    }
  }
}

TEST_P(ProductTest, MultiplyColumns) {
  for (const size_t rows : {1, 3, 97}) {
    for (const size_t a_columns : {1, 3, 8, 13, 53}) {
      for (const size_t b_columns : {16, 32, 48, 64, 80, 256}) {
        const auto a = Numbers(rows * kPackPitch, rows);
        const auto b = Numbers(rows * kPackPitch, a_columns);
        auto left = a;
        auto right = b;
        if (pairs) {
          kernels.fold_columns(a.data(), kPackPitch, rows, a_columns, left.data(), kPackPitch);
          kernels.fold_columns(right.data(), kPackPitch, rows, b_columns, right.data(), kPackPitch);
        }
        const size_t pitch = b_columns + 16;
        const auto before = RandomFloats(a_columns * pitch, 4);
        for (const bool add : {false, true}) {
          auto c = before;
          kernels.multiply_columns(left.data(), a_columns, right.data(), b_columns, Folded(rows), c.data(), pitch, add,
                                   nullptr);
          for (size_t i = 0; i < a_columns; ++i) {
            for (size_t j = 0; j < pitch; ++j) {
              double sum = add || j >= b_columns ? before[i * pitch + j] : 0;
              for (size_t r = 0; r < rows && j < b_columns; ++r) {
                sum += double{a[r * kPackPitch + i]} * b[r * kPackPitch + j];
              }
              ASSERT_NEAR(c[i * pitch + j], sum, 2e-5) << rows << ": " << i << "," << j;
            }
          }
        }
      }
    }
  }
}

/// Number `which` of the pair at p.
float OfPair(const float* p, size_t which) {
  uint32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return Bfloat16ToFloat(static_cast<uint16_t>(bits >> (16 * which)));
}

TEST_P(ProductTest, FoldsRoundToTheNearest) {
  if (!pairs) {
    EXPECT_TRUE(kernels.fold_rows == nullptr && kernels.fold_columns == nullptr);
    return;
  }
  for (const size_t rows : {1, 2, 7}) {
    for (const size_t columns : {1, 2, 15, 16, 17, 31, 32, 33, 63, 250, 256}) {
      auto in = RandomFloats(rows * kPackPitch, columns);
      in[0] = 1.0F + 0x1p-8F;                            // a tie: to even, down
      in[kPackPitch * (rows - 1)] = 1.0F + 3 * 0x1p-8F;  // a tie: to even, up
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = columns; c < kPackPitch; ++c) in[r * kPackPitch + c] = std::numeric_limits<float>::quiet_NaN();
      }
      for (const bool in_place : {false, true}) {
        auto out = in_place ? in : std::vector<float>(in.size(), 7);
        kernels.fold_rows(in_place ? out.data() : in.data(), kPackPitch, rows, columns, out.data(), kPackPitch);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t c = 0; c < (columns + 1) / 2 * 2; ++c) {
            const float wanted = c < columns ? ToBfloat16(in[r * kPackPitch + c]) : 0;
            ASSERT_EQ(OfPair(&out[r * kPackPitch + c / 2], c % 2), wanted)
                << rows << "x" << columns << ": " << r << "," << c;
          }
        }
        out = in_place ? in : std::vector<float>(in.size(), 7);
        kernels.fold_columns(in_place ? out.data() : in.data(), kPackPitch, rows, columns, out.data(), kPackPitch);
        for (size_t r = 0; r < (rows + 1) / 2 * 2; ++r) {
          for (size_t c = 0; c < columns; ++c) {
            const float wanted = r < rows ? ToBfloat16(in[r * kPackPitch + c]) : 0;
            ASSERT_EQ(OfPair(&out[r / 2 * kPackPitch + c], r % 2), wanted)
                << rows << "x" << columns << ": " << r << "," << c;
          }
        }
      }
    }
  }
}

/// `numbers` rounded to bfloat16, two in a float.
Buffer Halved(std::span<const float> numbers) {
  Buffer halved(numbers.size() / 2);  // aligned
  auto* to = reinterpret_cast<char*>(halved.data());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(ToBfloat16(numbers[i]));
    std::memcpy(to + 2 * i, reinterpret_cast<const char*>(&bits) + 2, 2);
  }
  return halved;
}

// What is stored as bfloat16 is read, and written, as the same numbers in float32 are.
TEST_P(ProductTest, ReadsAndWritesHalves) {
  if (!pairs) return;
  const size_t rows = 9;
  for (const size_t channels : {16, 48, 80, 144}) {
    const size_t count = rows * channels;
    const auto x = Numbers(count, 1);
    const auto second = Numbers(count, 2);
    const auto y = RandomFloats(count, 3);
    const auto before = Numbers(count, 4);
    const auto scale = RandomFloats(channels, 5);
    const auto shift = RandomFloats(channels, 6);
    const Buffer half_x = Halved(x);
    const Buffer half_second = Halved(second);
    for (int parts = 0; parts < 8; ++parts) {
      Source whole{.x = x.data(), .pitch = channels, .low = -0.25f, .high = 0.5f};
      Source half{.x = half_x.data(), .pitch = channels / 2, .low = -0.25f, .high = 0.5f};
      half.half = true;
      EXPECT_EQ(half.numbers(), channels);
      for (Source* source : {&whole, &half}) {
        if (parts & 1) source->scale = scale.data(), source->shift = shift.data();
        if ((parts & 3) == 3) source->second_scale = scale.data();
      }
      if ((parts & 3) == 3) whole.second = second.data(), half.second = half_second.data();
      std::vector<float> read[2]{std::vector<float>(4 * channels), std::vector<float>(4 * channels)};
      kernels.read_rows(whole, 3, 4, 16, channels - 16, read[0].data(), channels);
      kernels.read_rows(half, 3, 4, 16, channels - 16, read[1].data(), channels);
      ASSERT_EQ(read[0], read[1]) << channels << ", " << parts;

      std::vector<double> sums[2]{std::vector<double>(2 * channels), std::vector<double>(2 * channels)};
      std::vector<float> pivots[2]{std::vector<float>(channels), std::vector<float>(channels)};
      size_t counts[2]{};
      ForwardFinish forward[2];
      BackwardFinish backward[2];
      for (const int i : {0, 1}) {
        forward[i] = {.bias = shift.data(), .clip = (parts & 1) != 0, .low = -0.5f, .high = 0.75f};
        if (parts & 2) {
          forward[i].sums = sums[i].data();
          forward[i].sums_pitch = channels;
          forward[i].pivot = pivots[i].data();
          forward[i].rows = &counts[i];
        }
        forward[i].stream = parts & 4;
        forward[i].half = i == 1;
      }
      Buffer out(count);
      Buffer half_out(count / 2);
      kernels.finish_forward(forward[0], y.data(), channels, rows, channels, out.data(), channels);
      kernels.finish_forward(forward[1], y.data(), channels, rows, channels, half_out.data(), channels / 2);
      const Buffer wanted = Halved({out.data(), count});
      ASSERT_EQ(std::memcmp(half_out.data(), wanted.data(), 2 * count), 0) << channels << ", " << parts;
      ASSERT_EQ(sums[0], sums[1]);

      for (const int i : {0, 1}) {
        backward[i] = {.add = (parts & 1) != 0, .low = -0.25f, .high = 0.5f};
        backward[i].stream = !backward[i].add;
        if (parts & 2) backward[i].x = i == 0 ? x.data() : half_x.data();
        if (parts & 4) {
          backward[i].pivot = shift.data();
          backward[i].sums = sums[i].data();
          backward[i].sums_pitch = channels;
        }
        backward[i].half = i == 1;
      }
      Buffer gradient(count);
      std::copy(before.begin(), before.end(), gradient.data());
      Buffer half_gradient = Halved(before);
      kernels.finish_backward(backward[0], y.data(), channels, rows, channels, gradient.data(), channels);
      kernels.finish_backward(backward[1], y.data(), channels, rows, channels, half_gradient.data(), channels / 2);
      const Buffer gradient_wanted = Halved({gradient.data(), count});
      ASSERT_EQ(std::memcmp(half_gradient.data(), gradient_wanted.data(), 2 * count), 0) << channels << ", " << parts;
      ASSERT_EQ(sums[0], sums[1]);
    }
  }
}

TEST(Kernels, RefusePrecisionsThatAreNotThere) {
  EXPECT_FALSE(HasPrecision(Isa::kPortable, Precision::kBfloat16));
  EXPECT_THROW(KernelsOf(Isa::kPortable, Precision::kBfloat16), std::invalid_argument);
}

TEST_P(KernelTest, ReadRows) {
  const size_t pitch = 112;
  const auto x = RandomFloats(9 * pitch, 1);
  const auto second = RandomFloats(9 * pitch, 2);
  const auto scale = RandomFloats(pitch, 3);
  const auto shift = RandomFloats(pitch, 4);
  const auto second_scale = RandomFloats(pitch, 5);
  for (const size_t channel : {0, 16, 32}) {
    for (const size_t channels : {1, 16, 37, 64, 80}) {
      for (const int reading : {0, 1, 2}) {
        Source source{.x = x.data(), .pitch = pitch};
        if (reading > 0) {
          source.scale = scale.data();
          source.shift = shift.data();
          source.low = -0.25f;
          source.high = 0.5f;
        }
        if (reading == 2) {
          source.second = second.data();
          source.second_scale = second_scale.data();
        }
        std::vector<float> out(5 * kPackPitch, 7);
        kernels.read_rows(source, 3, 5, channel, channels, out.data(), kPackPitch);
        for (size_t r = 0; r < 5; ++r) {
          for (size_t j = 0; j < channels; ++j) {
            const size_t c = channel + j;
            const size_t at = (3 + r) * pitch + c;
            double wanted = x[at];
            if (reading > 0) wanted = wanted * scale[c] + shift[c];
            if (reading == 1) wanted = std::clamp(wanted, -0.25, 0.5);
            if (reading == 2) wanted += double{second[at]} * second_scale[c];
            ASSERT_NEAR(out[r * kPackPitch + j], wanted, 1e-6) << reading << ": " << r << "," << c;
          }
        }
      }
    }
  }
}

TEST_P(KernelTest, FinishForward) {
  for (const size_t channels : {16, 48, 64, 144}) {
    const size_t rows = 11;
    const auto y = RandomFloats(rows * channels, 1);
    const auto bias = RandomFloats(channels, 2);
    for (int run = 0; run < 16; ++run) {
      const int parts = run / 2;
      const bool stream = run % 2 == 1;
      std::vector<float> pivot(channels, 7);
      size_t rows_before = 0;
      std::vector<double> sums(2 * channels, 1);
      ForwardFinish finish{.low = -0.5f, .high = 0.75f};
      finish.stream = stream;
      if (parts & 1) finish.bias = bias.data();
      if (parts & 2) finish.clip = true;
      if (parts & 4) {
        finish.pivot = pivot.data();
        finish.rows = &rows_before;
        finish.sums = sums.data();
        finish.sums_pitch = channels;
      }
      Buffer out_buffer(rows * channels);  // aligned
      float* out = out_buffer.data();
      kernels.finish_forward(finish, y.data(), channels, 4, channels, out, channels);
      kernels.finish_forward(finish, &y[4 * channels], channels, rows - 4, channels, &out[4 * channels], channels);
      EXPECT_EQ(rows_before, parts & 4 ? rows : 0);
      for (size_t c = 0; c < channels; ++c) {
        double first = 1;
        double squares = 1;
        for (size_t r = 0; r < rows; ++r) {
          double wanted = double{y[r * channels + c]} + (parts & 1 ? bias[c] : 0);
          if (parts & 2) wanted = std::clamp(wanted, -0.5, 0.75);
          ASSERT_NEAR(out[r * channels + c], wanted, 1e-6);
          if ((parts & 4) && r == 0) {
            ASSERT_NEAR(pivot[c], wanted, 1e-6);
          }
          first += wanted - pivot[c];
          squares += (wanted - pivot[c]) * (wanted - pivot[c]);
        }
        ASSERT_NEAR(sums[c], parts & 4 ? first : 1, 1e-5);
        ASSERT_NEAR(sums[channels + c], parts & 4 ? squares : 1, 1e-5);
      }
    }
  }
}

TEST_P(KernelTest, FinishBackward) {
  for (const size_t channels : {16, 48, 64, 144}) {
    const size_t rows = 11;
    const auto g = RandomFloats(rows * channels, 1);
    const auto x = RandomFloats(rows * channels, 2);
    const auto scale = RandomFloats(channels, 3);
    const auto shift = RandomFloats(channels, 4);
    const auto pivot = RandomFloats(channels, 5);
    const auto before = RandomFloats(rows * channels, 6);
    for (int parts = 0; parts < 32; ++parts) {
      std::vector<double> sums(2 * channels, 1);
      BackwardFinish finish{.low = -0.25f, .high = 0.5f};
      finish.add = parts & 1;
      if (parts & 2) finish.x = x.data();
      if (parts & 4) {
        finish.scale = scale.data();
        finish.shift = shift.data();
      }
      if (parts & 8) finish.pivot = pivot.data();
      if (parts & 16) {
        finish.sums = sums.data();
        finish.sums_pitch = channels;
      }
      finish.stream = !finish.add && (parts & 4);
      Buffer out_buffer(rows * channels);  // aligned
      float* out = out_buffer.data();
      std::copy(before.begin(), before.end(), out);
      kernels.finish_backward(finish, g.data(), channels, rows, channels, out, channels);
      for (size_t c = 0; c < channels; ++c) {
        double first = 1;
        double second = 1;
        for (size_t r = 0; r < rows; ++r) {
          const size_t at = r * channels + c;
          const double z = parts & 4 ? double{x[at]} * scale[c] + shift[c] : x[at];
          const bool kept = !(parts & 2) || (z > -0.25 && z < 0.5);
          const double wanted = kept ? double{g[at]} + (parts & 1 ? before[at] : 0) : 0;
          ASSERT_NEAR(out[at], wanted, 1e-6);
          first += wanted;
          second += wanted * (double{x[at]} - pivot[c]);
        }
        ASSERT_NEAR(sums[c], parts & 16 ? first : 1, 1e-5);
        ASSERT_NEAR(sums[channels + c], (parts & 26) == 26 ? second : 1, 1e-5) << parts;
      }
    }
  }
}

TEST_P(KernelTest, ClippingLetsNanThrough) {
  std::vector<float> y(16, std::nanf(""));
  const ForwardFinish finish{.clip = true, .low = 0, .high = 6};
  kernels.finish_forward(finish, y.data(), 16, 1, 16, y.data(), 16);
  for (const float value : y) EXPECT_TRUE(std::isnan(value));
}

TEST_P(KernelTest, DepthwiseRow) {
  for (const size_t channels : {16, 48}) {
    for (const size_t count : {1, 2, 5, 7, 8, 9, 19}) {
      for (const size_t taps_wanted : {1, 4, 9, 25}) {
        for (const size_t step : {1, 2}) {
          const auto x = RandomFloats((count * step + taps_wanted) * channels, count);
          const auto weights = RandomFloats(taps_wanted * channels, 2);
          std::vector<Tap> taps;
          for (size_t t = 0; t < taps_wanted; ++t) taps.push_back({&x[t * channels], &weights[t * channels]});
          const size_t out_step = channels * step;
          std::vector<float> out(count * out_step, 7);
          kernels.depthwise_row(taps.data(), taps.size(), step * channels, count, channels, out.data(), out_step,
                                nullptr);
          for (size_t j = 0; j < count; ++j) {
            for (size_t c = 0; c < channels; ++c) {
              double wanted = 0;
              for (size_t t = 0; t < taps_wanted; ++t) {
                wanted += double{x[(t + j * step) * channels + c]} * weights[t * channels + c];
              }
              ASSERT_NEAR(out[j * out_step + c], wanted, 1e-5);
            }
          }
        }
      }
    }
  }
}

TEST_P(KernelTest, DepthwiseWeights) {
  for (const size_t channels : {16, 48}) {
    for (const size_t count : {1, 5, 19}) {
      for (const size_t taps_wanted : {1, 9, 25}) {
        for (const size_t step : {1, 2}) {
          const auto x = RandomFloats((count * step + taps_wanted) * channels, count);
          const auto g = RandomFloats(count * channels, 2);
          std::vector<Tap> taps;
          for (size_t t = 0; t < taps_wanted; ++t) taps.push_back({&x[t * channels], nullptr});
          std::vector<float> gradients(taps_wanted * channels, 1);
          kernels.depthwise_weights(taps.data(), taps.size(), step * channels, g.data(), channels, count, channels,
                                    gradients.data(), channels);
          for (size_t t = 0; t < taps_wanted; ++t) {
            for (size_t c = 0; c < channels; ++c) {
              double wanted = 1;
              for (size_t j = 0; j < count; ++j) {
                wanted += double{x[(t + j * step) * channels + c]} * g[j * channels + c];
              }
              ASSERT_NEAR(gradients[t * channels + c], wanted, 1e-5);
            }
          }
        }
      }
    }
  }
}

TEST(Peak, SpeedsAreThoseOfAMachine) {
  ThreadPool pool(2);
  const double bandwidth = MeasureBandwidth(pool, 0.02);
  EXPECT_GT(bandwidth, 1e8);
  EXPECT_LT(bandwidth, 1e13);
  const double peak = MeasurePeak(ActiveIsa(), Precision::kFloat32, 0.02);
  EXPECT_GT(peak, 1e8);
  EXPECT_LT(peak, 1e12);
}

}  // namespace
}  // namespace ssd_prune
