// rankBatch, rankBatchAsync, sliceBatch and sliceBatchAsync of lib/native/addon.ts.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterPrune(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
