// Entry point of the addon: each room registers its functions on the exports object.
#include <napi.h>

#include "addon/calibrate.h"
#include "addon/engine.h"
#include "addon/mean_ap.h"
#include "addon/memory.h"
#include "addon/prune.h"
#include "addon/train.h"
#include "addon/trainer.h"
#include "addon/vision.h"
#include "kernels/isa.h"

namespace {

Napi::Value InstructionSets(const Napi::CallbackInfo& info) {
  const auto isas = ssd_prune::SupportedIsas();
  Napi::Array names = Napi::Array::New(info.Env(), isas.size());
  for (uint32_t i = 0; i < isas.size(); ++i) {
    names.Set(i, Napi::String::New(info.Env(), std::string(ssd_prune::IsaName(isas[i]))));
  }
  return names;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("instructionSets", Napi::Function::New(env, InstructionSets));
  ssd_prune::RegisterCalibrate(env, exports);
  ssd_prune::RegisterEngine(env, exports);
  ssd_prune::RegisterMeanAp(env, exports);
  ssd_prune::RegisterMemory(env, exports);
  ssd_prune::RegisterPrune(env, exports);
  ssd_prune::RegisterTrain(env, exports);
  ssd_prune::RegisterTrainer(env, exports);
  ssd_prune::RegisterVision(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(ssd_prune, Init)
