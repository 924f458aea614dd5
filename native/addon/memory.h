// Big buffers for JavaScript.
#pragma once

#include <napi.h>

#include <cstddef>

namespace ssd_prune {

/// A buffer of zeros. From a few MiB on it lies on huge pages where the system has them (Linux): the
/// first touch of 20 MiB in pages of 4 KiB costs more than copying them does.
Napi::ArrayBuffer AllocateBytes(Napi::Env env, size_t bytes);

void RegisterMemory(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
