#include "addon/memory.h"

#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ssd_prune {
namespace {

#ifdef __linux__
constexpr size_t kHugePage = size_t{2} << 20;
/// Below this the rounding up to whole pages would cost more than it saves.
constexpr size_t kHugeFrom = size_t{4} << 20;

/// Memory on huge pages, or nothing where the system has no more.
void* HugePages(size_t bytes) {
  const size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, rounded);
  // Advice only: without it the memory is as good, only slower to touch.
  if (memory != nullptr) madvise(memory, rounded, MADV_HUGEPAGE);
  return memory;
}
#endif

/// allocate(bytes): an ArrayBuffer whose contents are not set.
Napi::Value Allocate(const Napi::CallbackInfo& info) {
  return AllocateBytes(info.Env(), static_cast<size_t>(info[0].As<Napi::Number>().Int64Value()));
}

}  // namespace

Napi::ArrayBuffer AllocateBytes(Napi::Env env, size_t bytes) {
#ifdef __linux__
  if (bytes >= kHugeFrom) {
    if (void* memory = HugePages(bytes)) {
      return Napi::ArrayBuffer::New(env, memory, bytes, [](Napi::Env, void* data) { std::free(data); });
    }
  }
#endif
  return Napi::ArrayBuffer::New(env, bytes);
}

void RegisterMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("allocate", Napi::Function::New(env, Allocate));
}

}  // namespace ssd_prune
