#include "prune/slice.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/thread_pool.h"

namespace ssd_prune {
namespace {

std::vector<std::byte> Counting(size_t bytes) {
  std::vector<std::byte> values(bytes);
  for (size_t i = 0; i < bytes; ++i) values[i] = static_cast<std::byte>(i * 131 + (i >> 8) * 17);
  return values;
}

/// Element by element, by the definition.
std::vector<std::byte> Naive(const SliceJob& job) {
  std::vector<std::byte> out;
  std::vector<size_t> places = {0};
  for (size_t axis = 0; axis < job.dims.size(); ++axis) {
    std::vector<size_t> next;
    for (const size_t place : places) {
      for (size_t i = 0; i < (job.keep[axis] ? job.keep[axis]->size() : job.dims[axis]); ++i) {
        next.push_back(place * job.dims[axis] + (job.keep[axis] ? static_cast<size_t>((*job.keep[axis])[i]) : i));
      }
    }
    places = std::move(next);
  }
  for (const size_t place : places) {
    const std::byte* from = job.bytes + place * job.element_size;
    out.insert(out.end(), from, from + job.element_size);
  }
  return out;
}

std::vector<std::byte> Sliced(SliceJob job, ThreadPool& pool) {
  std::vector<std::byte> out(SlicedBytes(job), std::byte{0xee});
  job.out = out.data();
  SliceBatch({&job, 1}, pool);
  return out;
}

TEST(Slice, TakesRowsAndColumnsInTheOrderGiven) {
  const std::vector<int32_t> values = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
  const std::vector<int32_t> rows = {2, 0};
  const std::vector<int32_t> columns = {1, 3};
  ThreadPool pool(1);
  const SliceJob job{reinterpret_cast<const std::byte*>(values.data()), 4, {3, 4}, {rows, columns}, nullptr};
  EXPECT_EQ(SlicedBytes(job), 16U);
  const std::vector<std::byte> bytes = Sliced(job, pool);
  std::vector<int32_t> out(4);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  EXPECT_EQ(out, (std::vector<int32_t>{21, 23, 1, 3}));
}

TEST(Slice, NothingLeftIsNoBytes) {
  const std::vector<int32_t> none;
  ThreadPool pool(2);
  const auto bytes = Counting(24);
  EXPECT_TRUE(Sliced({bytes.data(), 4, {2, 3}, {std::nullopt, none}, nullptr}, pool).empty());
}

TEST(Slice, EqualsTheDefinitionForEveryElementSizeAxisAndAlignment) {
  ThreadPool pool(3);
  const std::vector<size_t> dims = {7, 5, 3, 4};
  const std::vector<std::vector<int32_t>> some = {{0, 2, 3, 6}, {1, 4}, {0, 2}, {3}};
  for (const size_t size : {1, 2, 4, 8}) {
    // A byte in front: file contents are aligned to nothing.
    const auto bytes = Counting(7 * 5 * 3 * 4 * size + 1);
    for (int axes = 0; axes < 16; ++axes) {
      SliceJob job{bytes.data() + 1, size, dims, std::vector<Kept>(4), nullptr};
      for (size_t axis = 0; axis < 4; ++axis) {
        if ((axes >> axis & 1) != 0) job.keep[axis] = some[axis];
      }
      EXPECT_EQ(Sliced(job, pool), Naive(job)) << "element size " << size << ", axes " << axes;
    }
  }
}

TEST(Slice, ThreadsChangeNothingWhereATensorIsDoneInPieces) {
  const std::vector<size_t> dims = {300, 257, 3, 3};
  const auto bytes = Counting(300 * 257 * 9 * 4);
  std::vector<int32_t> rows;
  std::vector<int32_t> columns;
  for (int32_t i = 0; i < 300; ++i) {
    if (i % 7 != 3) rows.push_back(i);
  }
  for (int32_t i = 0; i < 257; ++i) {
    if (i % 5 != 1) columns.push_back(i);
  }
  const SliceJob job{bytes.data(), 4, dims, {rows, columns, std::nullopt, std::nullopt}, nullptr};
  const auto expected = Naive(job);
  for (int threads = 1; threads <= 5; ++threads) {
    ThreadPool pool(threads);
    EXPECT_EQ(Sliced(job, pool), expected) << threads << " threads";
  }
}

}  // namespace
}  // namespace ssd_prune
