// Functions that training calls: pictures into batches.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterTrain(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
