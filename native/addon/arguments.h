// Numbers out of the objects that TypeScript hands over, checked there.
#pragma once

#include <napi.h>

#include <string>

#include "kernels/kernels.h"
#include "vision/resize.h"

namespace ssd_prune {

inline float Float(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().FloatValue();
}
inline int64_t Int(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Int64Value();
}
inline size_t Size(const Napi::Object& object, const char* name) { return static_cast<size_t>(Int(object, name)); }
inline bool Bool(const Napi::Object& object, const char* name) { return object.Get(name).As<Napi::Boolean>().Value(); }

inline void Floats(const Napi::Object& object, const char* name, size_t count, float* to) {
  const auto array = object.Get(name).As<Napi::Array>();
  for (uint32_t i = 0; i < count; ++i) to[i] = array.Get(i).As<Napi::Number>().FloatValue();
}

/// "fp32" or "bf16".
inline Precision ReadPrecision(const Napi::Value& value) {
  return value.As<Napi::String>().Utf8Value() == "bf16" ? Precision::kBfloat16 : Precision::kFloat32;
}

/// Input settings as lib/model/input-format.ts makes them.
inline InputFormat ReadInputFormat(const Napi::Object& object) {
  InputFormat format;
  format.width = static_cast<size_t>(Int(object, "width"));
  format.height = static_cast<size_t>(Int(object, "height"));
  format.kernel = static_cast<ResizeKernel>(Int(object, "kernel"));
  format.antialias = Bool(object, "antialias");
  format.bgr = Bool(object, "bgr");
  Floats(object, "mean", 3, format.mean);
  Floats(object, "std", 3, format.std);
  return format;
}

}  // namespace ssd_prune
