#include "kernels/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ssd_prune {
namespace {

TEST(ThreadPool, VisitsEveryIndexOnce) {
  for (int threads = 1; threads <= 6; ++threads) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const size_t count : {0, 1, 2, 5, 1000}) {
      std::vector<std::atomic<int>> visits(count);
      pool.ForEach(count, [&](size_t i) { ++visits[i]; });
      for (size_t i = 0; i < count; ++i) EXPECT_EQ(visits[i], 1) << i << " of " << count << ", " << threads;
    }
  }
}

TEST(ThreadPool, HasAtLeastItsCaller) { EXPECT_EQ(ThreadPool(0).size(), 1); }

TEST(ThreadPool, ThrowsOneExceptionAfterAllIsDone) {
  ThreadPool pool(4);
  std::atomic<int> done{0};
  EXPECT_THROW(pool.ForEach(100,
                            [&](size_t i) {
                              ++done;
                              if (i % 10 == 0) throw std::runtime_error("index");
                            }),
               std::runtime_error);
  EXPECT_EQ(done, 100);
  // The pool is as good as new.
  done = 0;
  pool.ForEach(10, [&](size_t) { ++done; });
  EXPECT_EQ(done, 10);
}

TEST(ThreadPool, TakesCallsFromItsOwnBodies) {
  ThreadPool pool(3);
  std::atomic<int> done{0};
  pool.ForEach(8, [&](size_t) { pool.ForEach(8, [&](size_t) { ++done; }); });
  EXPECT_EQ(done, 64);
}

TEST(ThreadPool, ServesSeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::atomic<int> done{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool.ForEach(20, [&](size_t) { ++done; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(done, 4 * 50 * 20);
}

// What bodies write is no atomic: a thread sanitizer sees here whether jobs are ordered, for threads that spin (two,
// where there are two processors) and for those that sleep.
TEST(ThreadPool, ShowsEveryJobWhatTheOnesBeforeItWrote) {
  for (const int threads : {2, 3}) {
    ThreadPool pool(threads);
    std::vector<int> now(16), before(16);
    for (int round = 0; round < 2000; ++round) {
      before.swap(now);
      pool.ForEach(now.size(), [&](size_t i) { now[i] = before[(i + 1) % before.size()] + 1; });
      if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(now, std::vector<int>(16, 2000)) << threads;
  }
}

TEST(ThreadPool, WorksOnItsCallerOnceEnded) {
  ThreadPool pool(3);
  std::atomic<int> done{0};
  pool.ForEach(5, [&](size_t) { ++done; });
  pool.End();
  const std::thread::id self = std::this_thread::get_id();
  pool.ForEach(5, [&](size_t) {
    ++done;
    EXPECT_EQ(std::this_thread::get_id(), self);
  });
  EXPECT_EQ(done, 10);
}

}  // namespace
}  // namespace ssd_prune
