#include "addon/memory.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ssd_prune {
namespace {

#ifdef __linux__
constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
/// Below this hardly a huge page lies inside.
constexpr size_t kHugeFrom = size_t{4} << 20;

/// Asks for huge pages wherever whole ones lie in the range. Advice only: without them memory is slower to touch.
void AdviseHugePages(void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (begin + bytes) / kHugePage * kHugePage;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}
#endif

/// allocate(bytes): an ArrayBuffer for big contents.
Napi::Value Allocate(const Napi::CallbackInfo& info) {
  return AllocateBytes(info.Env(), static_cast<size_t>(info[0].As<Napi::Number>().Int64Value()));
}

/// giveBack(buffer): frees an ArrayBuffer's contents at once, where the garbage collector would wait. It is detached.
Napi::Value GiveBack(const Napi::CallbackInfo& info) {
  info[0].As<Napi::ArrayBuffer>().Detach();
  return info.Env().Undefined();
}

}  // namespace

Napi::ArrayBuffer AllocateBytes(Napi::Env env, size_t bytes) {
  // V8's own memory, which it frees at once when it collects; external memory would wait for the event loop.
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes);
#ifdef __linux__
  if (bytes >= kHugeFrom) AdviseHugePages(buffer.Data(), bytes);
#endif
  return buffer;
}

void RegisterMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("allocate", Napi::Function::New(env, Allocate));
  exports.Set("giveBack", Napi::Function::New(env, GiveBack));
}

}  // namespace ssd_prune
