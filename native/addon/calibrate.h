// addSamples, sampleRows, chooseRemovals, ridgeFit and clippedTargets of lib/native/addon.ts.
#pragma once

#include <napi.h>

namespace ssd_prune {

void RegisterCalibrate(Napi::Env env, Napi::Object exports);

}  // namespace ssd_prune
