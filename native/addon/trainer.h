// The training step for JavaScript: native/train/trainer.h as an object.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterTrainer(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
