// Native work behind a promise, and errors with the codes of lib/errors.ts.
#pragma once

#include <napi.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace ssd_prune {

/// Wrong arguments that only native code can find are wrong environment variables: ERR_USAGE. All else is our fault.
inline Napi::Error CodedError(Napi::Env env, const std::string& message, bool usage) {
  const Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", usage ? "ERR_USAGE" : "ERR_INTERNAL");
  return error;
}

/// Work on the thread pool of libuv that ends in a promise; the memory that it reads and writes is held until then. It
/// deletes itself once the promise is settled.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  /// Holds the call's arguments.
  explicit PromiseWorker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), Arguments(info)) {}

  PromiseWorker(Napi::Env env, Napi::Object held)
      : Napi::AsyncWorker(env, "ssd-prune"),
        deferred_(Napi::Promise::Deferred::New(env)),
        held_(Napi::Persistent(held)) {}

  Napi::Promise Start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  /// On another thread: touches no JavaScript. std::invalid_argument means wrong usage.
  virtual void Work() = 0;
  /// What the promise is resolved with, back on the thread of JavaScript.
  virtual Napi::Value Result(Napi::Env env) = 0;

  void Execute() final {
    try {
      Work();
    } catch (const std::invalid_argument& error) {
      usage_ = true;
      SetError(error.what());
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() final { deferred_.Resolve(Result(Env())); }
  void OnError(const Napi::Error& error) final { deferred_.Reject(CodedError(Env(), error.Message(), usage_).Value()); }

 private:
  static Napi::Object Arguments(const Napi::CallbackInfo& info) {
    Napi::Array held = Napi::Array::New(info.Env(), info.Length());
    for (uint32_t i = 0; i < info.Length(); ++i) held.Set(i, info[i]);
    return held;
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_;
  bool usage_ = false;
};

/// A function of the addon that makes a worker of its arguments and starts it.
template <typename Worker>
Napi::Value RunWorker(const Napi::CallbackInfo& info) {
  return (new Worker(info))->Start();
}

}  // namespace ssd_prune
