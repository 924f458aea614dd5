// Training for JavaScript.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterEngine(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
