#include "addon/mean_ap.h"

#include <algorithm>
#include <exception>

#include "vision/mean_ap.h"

namespace ssd_prune {
namespace {

template <typename T>
std::span<const T> Elements(const Napi::Object& object, const char* name) {
  const auto array = object.Get(name).As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.ElementLength()};
}

size_t Count(const Napi::Object& object, const char* name) {
  return static_cast<size_t>(object.Get(name).As<Napi::Number>().Int64Value());
}

Napi::Float64Array ToArray(Napi::Env env, const std::vector<double>& values) {
  auto array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

template <typename T>
MeanAp Compute(const Napi::Object& job, const Truth& truth, const MeanApOptions& options) {
  const Detections<T, T> detections{Elements<int32_t>(job, "image"), Elements<int32_t>(job, "label"),
                                    Elements<T>(job, "score"), Elements<T>(job, "box"),
                                    job.Get("pixels").As<Napi::Boolean>().Value()};
  return ComputeMeanAp(truth, detections, options);
}

Napi::Value MeanApCall(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto job = info[0].As<Napi::Object>();
  Truth truth;
  truth.offset = Elements<int32_t>(job, "truthOffset");
  truth.images = truth.offset.size() - 1;
  truth.classes = Count(job, "classes");
  truth.label = Elements<int32_t>(job, "truthLabel");
  truth.flag = Elements<uint8_t>(job, "truthFlag");
  truth.box = Elements<double>(job, "truthBox");
  truth.area = Elements<double>(job, "truthArea");
  truth.size = Elements<double>(job, "imageSize");
  MeanApOptions options;
  options.rules.protocol = static_cast<Protocol>(Count(job, "protocol"));
  options.rules.overlap_threshold = job.Get("overlapThreshold").As<Napi::Number>().DoubleValue();
  options.version = static_cast<ApVersion>(Count(job, "apVersion"));
  options.resamples = Count(job, "resamples");
  options.seed = static_cast<uint64_t>(Count(job, "seed"));
  try {
    const bool wide = job.Get("score").As<Napi::TypedArray>().TypedArrayType() == napi_float64_array;
    const MeanAp result = wide ? Compute<double>(job, truth, options) : Compute<float>(job, truth, options);
    auto object = Napi::Object::New(env);
    object.Set("ap", ToArray(env, result.ap));
    object.Set("recall", ToArray(env, result.recall));
    object.Set("positives", ToArray(env, result.positives));
    object.Set("detections", ToArray(env, result.detections));
    object.Set("resampled", ToArray(env, result.resampled));
    return object;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

}  // namespace

void RegisterMeanAp(Napi::Env env, Napi::Object exports) {
  exports.Set("meanAp", Napi::Function::New(env, MeanApCall));
}

}  // namespace ssd_prune
