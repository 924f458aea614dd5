// What functions of the addon share that work off the event loop: promises, and numbers out of objects.
#pragma once

#include <napi.h>

#include "vision/resize.h"

namespace ssd_prune {

inline float Float(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().FloatValue();
}
inline int64_t Int(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Int64Value();
}
inline bool Bool(const Napi::Object& object, const char* name) { return object.Get(name).As<Napi::Boolean>().Value(); }

inline void Floats(const Napi::Object& object, const char* name, size_t count, float* to) {
  const auto array = object.Get(name).As<Napi::Array>();
  for (uint32_t i = 0; i < count; ++i) to[i] = array.Get(i).As<Napi::Number>().FloatValue();
}

/// Checked input settings, as lib/model/input-format.ts makes them.
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

/// Work on the thread pool of libuv that ends in a promise; what it reads is held until then.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  explicit PromiseWorker(const Napi::CallbackInfo& info)
      : Napi::AsyncWorker(info.Env(), "ssd-prune"), deferred_(Napi::Promise::Deferred::New(info.Env())) {
    Napi::Array held = Napi::Array::New(info.Env(), info.Length());
    for (uint32_t i = 0; i < info.Length(); ++i) held.Set(i, info[i]);
    held_ = Napi::Persistent(held.As<Napi::Object>());
  }

  Napi::Promise Start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  virtual Napi::Value Result(Napi::Env env) = 0;
  void OnOK() override { deferred_.Resolve(Result(Env())); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_;
};

template <typename Worker>
Napi::Value RunWorker(const Napi::CallbackInfo& info) {
  // The worker deletes itself once its promise is settled.
  return (new Worker(info))->Start();
}

}  // namespace ssd_prune
