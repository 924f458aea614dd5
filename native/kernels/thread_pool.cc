#include "kernels/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ssd_prune {

namespace {

/// Waits a little for `done`: some tens of microseconds, which is less than a sleeping thread takes to wake up. A step
/// of training is a chain of short jobs.
template <typename Done>
void SpinFor(const Done& done) {
  for (int i = 0; i < 1000 && !done(); ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }
}

}  // namespace

struct ThreadPool::State {
  const int size;
  const bool spins;   // more threads than processors would spin in each other's way
  std::mutex caller;  // held by the one caller whose job is under way

  std::mutex mutex;  // guards everything below
  std::condition_variable work_came;
  std::condition_variable work_done;
  std::vector<std::thread> threads;
  const std::function<void(size_t)>* body = nullptr;
  size_t count = 0;
  // These three change under the mutex; who spins looks at them without it. Relaxed is enough there: a look only says
  // that locking is worth while now, and what it saw is looked at again under the mutex, which alone orders body, count
  // and what bodies wrote. An outdated look costs some more spinning, or a sleep.
  std::atomic<uint64_t> job{0};    // counts jobs, so that a sleeper takes each one once
  std::atomic<size_t> working{0};  // threads that hold a pointer to the job's body
  std::atomic<bool> ended{false};
  std::exception_ptr failure;

  // Relaxed, too: adding is indivisible, so every index is taken once, whatever the order. It is set back under the
  // mutex, before the job that it is for can be seen and after `working` was 0: nobody adds to it then. What body(i)
  // wrote reaches the caller by the mutex, which its thread releases after its last index.
  std::atomic<size_t> next{0};

  explicit State(int threads_wanted)
      : size(threads_wanted), spins(threads_wanted <= static_cast<int>(std::thread::hardware_concurrency())) {}

  /// Takes indexes until none is left.
  void Work(const std::function<void(size_t)>& run, size_t end) {
    const auto take = [this] { return next.fetch_add(1, std::memory_order_relaxed); };
    for (size_t i = take(); i < end; i = take()) {
      try {
        run(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  }

  void Loop() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex, std::defer_lock);
    for (;;) {
      if (spins) {
        SpinFor([&] { return ended.load(std::memory_order_relaxed) || job.load(std::memory_order_relaxed) != seen; });
      }
      lock.lock();
      work_came.wait(lock, [&] { return ended || (body != nullptr && job != seen); });
      if (ended) return;
      seen = job;
      const std::function<void(size_t)>& run = *body;
      const size_t end = count;
      ++working;
      lock.unlock();
      Work(run, end);
      lock.lock();
      if (--working == 0) work_done.notify_one();
      lock.unlock();
    }
  }

  /// A machine that gives no more threads makes the job slower, not impossible.
  void StartThreads() {
    try {
      while (static_cast<int>(threads.size()) < size - 1) threads.emplace_back([this] { Loop(); });
    } catch (const std::system_error&) {
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>(std::max(threads, 1))) {}

ThreadPool::~ThreadPool() { End(); }

void ThreadPool::End() {
  State& s = *state_;
  const std::lock_guard last_job(s.caller);
  {
    const std::lock_guard lock(s.mutex);
    s.ended = true;
  }
  s.work_came.notify_all();
  for (std::thread& thread : s.threads) thread.join();
  s.threads.clear();
}

int ThreadPool::size() const { return state_->size; }

void ThreadPool::ForEach(size_t count, const std::function<void(size_t)>& body) {
  State& s = *state_;
  // A body that calls ForEach must not try a mutex that its own thread holds.
  static thread_local bool inside = false;
  std::unique_lock<std::mutex> mine;
  if (!inside && count > 1 && s.size > 1) mine = std::unique_lock(s.caller, std::try_to_lock);
  if (mine.owns_lock()) {
    const std::lock_guard lock(s.mutex);
    if (s.ended) mine.unlock();
  }
  if (!mine.owns_lock()) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  {
    const std::lock_guard lock(s.mutex);
    s.StartThreads();
    s.body = &body;
    s.count = count;
    s.failure = nullptr;
    s.next = 0;
    ++s.job;
  }
  s.work_came.notify_all();
  inside = true;
  s.Work(body, count);
  inside = false;
  if (s.spins) SpinFor([&] { return s.working.load(std::memory_order_relaxed) == 0; });
  std::exception_ptr failure;
  {
    std::unique_lock lock(s.mutex);
    s.body = nullptr;  // whoever wakes up from now on finds nothing to do
    s.work_done.wait(lock, [&] { return s.working == 0; });
    failure = std::exchange(s.failure, nullptr);
  }
  if (failure) std::rethrow_exception(failure);
}

namespace {

int GlobalThreads() {
  const char* wanted = std::getenv("SSD_PRUNE_THREADS");
  if (wanted == nullptr || *wanted == '\0') return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  char* end = nullptr;
  const long threads = std::strtol(wanted, &end, 10);
  if (*end != '\0' || threads < 1 || threads > 256) {
    throw std::invalid_argument(std::string("SSD_PRUNE_THREADS=") + wanted + " is not a number from 1 to 256");
  }
  return static_cast<int>(threads);
}

}  // namespace

ThreadPool& ThreadPool::Global() {
  // The pool itself outlives every static object, so that a caller that comes late still finds one; its threads end
  // when static objects are destroyed: at exit, and before the addon's code is unmapped.
  static ThreadPool* const pool = new ThreadPool(GlobalThreads());
  struct Ender {
    ~Ender() { pool->End(); }
  };
  static const Ender ender;
  return *pool;
}

}  // namespace ssd_prune
