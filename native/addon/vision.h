// Functions of lib/evaluate and lib/data that work on pictures and boxes.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterVision(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
