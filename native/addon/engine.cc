#include "addon/engine.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/graph.h"
#include "engine/engine.h"
#include "kernels/peak.h"

namespace ssd_prune {
namespace {

/// The engine and whether a pass runs in it; a worker holds it too, so that it outlives its object.
struct Shared {
  Shared(const Graph& graph, size_t batch, Precision precision)
      : engine(graph, batch, ThreadPool::Global(), ActiveIsa(), Engine::Use::kTraining, precision) {}
  Engine engine;
  bool busy = false;  // main thread only
};

class PassWorker : public Napi::AsyncWorker {
 public:
  PassWorker(Napi::Env env, std::shared_ptr<Shared> shared, std::function<void(Engine&)> pass)
      : Napi::AsyncWorker(env, "ssd-prune"),
        deferred_(Napi::Promise::Deferred::New(env)),
        shared_(std::move(shared)),
        pass_(std::move(pass)) {
    shared_->busy = true;
  }

  Napi::Promise Promise() const { return deferred_.Promise(); }
  void Execute() override { pass_(shared_->engine); }
  void OnOK() override {
    shared_->busy = false;
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    shared_->busy = false;
    deferred_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Shared> shared_;
  std::function<void(Engine&)> pass_;
};

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  explicit EngineObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineObject>(info) {
    try {
      shared_ = std::make_shared<Shared>(ReadGraph(info[0].As<Napi::Object>()),
                                         static_cast<size_t>(info[1].As<Napi::Number>().Int64Value()),
                                         ReadPrecision(info[2]));
    } catch (const std::bad_alloc&) {
      throw Napi::Error::New(info.Env(), "memory ran out");
    } catch (const std::exception& error) {
      throw Napi::Error::New(info.Env(), error.what());
    }
  }

  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "Engine",
        {InstanceMethod<&EngineObject::SetWeights>("setWeights"), InstanceMethod<&EngineObject::Weights>("weights"),
         InstanceMethod<&EngineObject::Gradients>("gradients"),
         InstanceMethod<&EngineObject::SetPictures>("setPictures"), InstanceMethod<&EngineObject::Output>("output"),
         InstanceMethod<&EngineObject::SetDerivatives>("setDerivatives"),
         InstanceMethod<&EngineObject::Forward>("forward"), InstanceMethod<&EngineObject::Backward>("backward"),
         InstanceMethod<&EngineObject::Times>("times"), InstanceMethod<&EngineObject::ClearTimes>("clearTimes"),
         InstanceAccessor<&EngineObject::Bytes>("bytes")});
  }

 private:
  Engine& Idle(const Napi::CallbackInfo& info) {
    if (shared_->busy) throw Napi::Error::New(info.Env(), "a pass of this engine is running");
    return shared_->engine;
  }

  static void CopyIn(const Napi::Value& from, std::span<float> to) {
    const auto array = from.As<Napi::Float32Array>();
    if (array.ElementLength() != to.size()) throw Napi::Error::New(from.Env(), "an array of another length");
    std::copy_n(array.Data(), to.size(), to.data());
  }
  static void CopyOut(std::span<const float> from, const Napi::Value& to) {
    auto array = to.As<Napi::Float32Array>();
    if (array.ElementLength() != from.size()) throw Napi::Error::New(to.Env(), "an array of another length");
    std::copy_n(from.data(), from.size(), array.Data());
  }
  static size_t Index(const Napi::CallbackInfo& info) { return info[0].As<Napi::Number>().Uint32Value(); }

  Napi::Value SetWeights(const Napi::CallbackInfo& info) {
    CopyIn(info[0], Idle(info).weights());
    return info.Env().Undefined();
  }
  Napi::Value Weights(const Napi::CallbackInfo& info) {
    CopyOut(Idle(info).weights(), info[0]);
    return info.Env().Undefined();
  }
  Napi::Value Gradients(const Napi::CallbackInfo& info) {
    CopyOut(Idle(info).gradients(), info[0]);
    return info.Env().Undefined();
  }
  Napi::Value SetPictures(const Napi::CallbackInfo& info) {
    CopyIn(info[0], Idle(info).picture());
    return info.Env().Undefined();
  }
  Napi::Value Output(const Napi::CallbackInfo& info) {
    CopyOut(Idle(info).output(Index(info)), info[1]);
    return info.Env().Undefined();
  }
  Napi::Value SetDerivatives(const Napi::CallbackInfo& info) {
    CopyIn(info[1], Idle(info).output_derivatives(Index(info)));
    return info.Env().Undefined();
  }

  Napi::Value Start(const Napi::CallbackInfo& info, std::function<void(Engine&)> pass) {
    Idle(info);
    auto* worker = new PassWorker(info.Env(), shared_, std::move(pass));  // deletes itself
    worker->Queue();
    return worker->Promise();
  }
  Napi::Value Forward(const Napi::CallbackInfo& info) {
    const bool batch_statistics = info[0].As<Napi::Boolean>().Value();
    return Start(info, [batch_statistics](Engine& engine) { engine.Forward(batch_statistics); });
  }
  Napi::Value Backward(const Napi::CallbackInfo& info) {
    const bool accumulate = info[0].As<Napi::Boolean>().Value();
    return Start(info, [accumulate](Engine& engine) { engine.Backward(accumulate); });
  }

  Napi::Value Times(const Napi::CallbackInfo& info) {
    const auto times = Idle(info).times();
    Napi::Array array = Napi::Array::New(info.Env(), times.size());
    for (uint32_t i = 0; i < times.size(); ++i) {
      Napi::Object object = Napi::Object::New(info.Env());
      object.Set("node", times[i].node);
      object.Set("macs", times[i].macs);
      object.Set("needsInputGradient", times[i].needs_input_gradient);
      object.Set("forward", times[i].forward_seconds);
      object.Set("backward", times[i].backward_seconds);
      array.Set(i, object);
    }
    return array;
  }
  Napi::Value ClearTimes(const Napi::CallbackInfo& info) {
    Idle(info).ClearTimes();
    return info.Env().Undefined();
  }
  Napi::Value Bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(shared_->engine.bytes()));
  }

  std::shared_ptr<Shared> shared_;
};

/// A set that SSD_PRUNE_ISA asks for and that isn't here throws a JavaScript error, as it does where kernels are made.
Isa CheckedIsa(Napi::Env env) {
  try {
    return ActiveIsa();
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

Napi::Value PeakGmacs(const Napi::CallbackInfo& info) {
  const double seconds = info[0].As<Napi::Number>().DoubleValue();
  return Napi::Number::New(info.Env(), MeasurePeak(CheckedIsa(info.Env()), ReadPrecision(info[1]), seconds) / 1e9);
}

Napi::Value PeakBandwidth(const Napi::CallbackInfo& info) {
  const double seconds = info[0].As<Napi::Number>().DoubleValue();
  return Napi::Number::New(info.Env(), MeasureBandwidth(ThreadPool::Global(), seconds) / 1e9);
}

Napi::Value HasBfloat16(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), HasPrecision(CheckedIsa(info.Env()), Precision::kBfloat16));
}

}  // namespace

void RegisterEngine(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", EngineObject::Class(env));
  exports.Set("hasBfloat16", Napi::Function::New(env, HasBfloat16));
  exports.Set("peakGmacs", Napi::Function::New(env, PeakGmacs));
  exports.Set("peakBandwidth", Napi::Function::New(env, PeakBandwidth));
}

}  // namespace ssd_prune
