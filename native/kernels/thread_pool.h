// The process's own threads for short parallel work: they spin for some microseconds after a job, then sleep.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace ssd_prune {

class ThreadPool {
 public:
  /// A pool in which `threads` threads work, the caller among them: threads − 1 are started, at the first job that
  /// needs them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Threads that work on a job, the caller included.
  int size() const;

  /// Calls body(0) … body(count − 1), each once, on any thread in any order, and returns when all are done. Results
  /// must therefore not depend on who computes them: give every index its own output. An exception that
  /// body throws is thrown here, the first one if there are several; nothing of the job runs any more then. If the pool
  /// is busy with another caller's job, or body itself calls ForEach, the caller does all of it alone.
  void ForEach(size_t count, const std::function<void(size_t)>& body);

  /// Waits for the job under way, then ends the threads. ForEach still works afterwards, on its caller alone.
  void End();

  /// The pool of the process, made at the first call: SSD_PRUNE_THREADS threads (1 to 256), by default one for each
  /// processor. All Node environments of the process share it; it ends with the process or when the addon is unloaded.
  /// Throws std::invalid_argument if the variable isn't such a number.
  static ThreadPool& Global();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ssd_prune
