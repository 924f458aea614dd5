// meanAp of lib/native/addon.ts.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterMeanAp(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
