#include "addon/prune.h"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "addon/promise_worker.h"
#include "kernels/thread_pool.h"
#include "prune/rank.h"
#include "prune/slice.h"

namespace ssd_prune {
namespace {

/// A batch, ready to run on any thread: `run` touches no JavaScript, only memory that `inputs` and `outputs` hold.
struct Call {
  Napi::Array inputs;
  Napi::Array outputs;
  std::function<void()> run;
};

const std::byte* Pin(Call& call, const Napi::Value& array) {
  const auto bytes = array.As<Napi::Uint8Array>();
  call.inputs.Set(call.inputs.Length(), bytes);
  return reinterpret_cast<const std::byte*>(bytes.Data());
}

std::vector<size_t> Dims(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<size_t> dims(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    dims[i] = static_cast<size_t>(array.Get(i).As<Napi::Number>().Int64Value());
  }
  return dims;
}

std::vector<Kept> Keep(Call& call, const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<Kept> keep(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value entry = array.Get(i);
    if (entry.IsNull()) continue;
    const auto indexes = entry.As<Napi::Int32Array>();
    call.inputs.Set(call.inputs.Length(), indexes);
    keep[i] = std::span<const int32_t>(indexes.Data(), indexes.ElementLength());
  }
  return keep;
}

uint32_t Int(const Napi::Object& object, const char* name) { return object.Get(name).As<Napi::Number>().Uint32Value(); }

Call RankCall(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto array = info[0].As<Napi::Array>();
  Call call{Napi::Array::New(env), Napi::Array::New(env, array.Length()), nullptr};
  const auto jobs = std::make_shared<std::vector<RankJob>>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    RankJob job{Pin(call, object.Get("bytes")),
                static_cast<DataType>(Int(object, "dataType")),
                Dims(object.Get("dims")),
                Int(object, "axis"),
                static_cast<Criterion>(Int(object, "criterion")),
                Keep(call, object.Get("keep")),
                nullptr};
    auto scores = Napi::Float64Array::New(env, job.dims[job.axis]);
    job.scores = scores.Data();
    call.outputs.Set(i, scores);
    jobs->push_back(std::move(job));
  }
  call.run = [jobs] { RankBatch(*jobs, ThreadPool::Global()); };
  return call;
}

Call SliceCall(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto array = info[0].As<Napi::Array>();
  Call call{Napi::Array::New(env), Napi::Array::New(env, array.Length()), nullptr};
  const auto jobs = std::make_shared<std::vector<SliceJob>>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    SliceJob job{Pin(call, object.Get("bytes")), Int(object, "elementSize"), Dims(object.Get("dims")),
                 Keep(call, object.Get("keep")), nullptr};
    auto out = Napi::Uint8Array::New(env, SlicedBytes(job));
    job.out = reinterpret_cast<std::byte*>(out.Data());
    call.outputs.Set(i, out);
    jobs->push_back(std::move(job));
  }
  call.run = [jobs] { SliceBatch(*jobs, ThreadPool::Global()); };
  return call;
}

using MakeCall = Call(const Napi::CallbackInfo& info);

template <MakeCall* kMake>
Napi::Value RunNow(const Napi::CallbackInfo& info) {
  const Call call = kMake(info);
  try {
    call.run();
  } catch (const std::invalid_argument& error) {
    throw CodedError(info.Env(), error.what(), true);
  } catch (const std::exception& error) {
    throw CodedError(info.Env(), error.what(), false);
  }
  return call.outputs;
}

/// A batch on another thread.
class BatchWorker : public PromiseWorker {
 public:
  BatchWorker(Napi::Env env, const Call& call)
      : PromiseWorker(env, call.inputs), outputs_(Napi::Persistent(Napi::Object(call.outputs))), run_(call.run) {}

 protected:
  void Work() override { run_(); }
  Napi::Value Result(Napi::Env) override { return outputs_.Value(); }

 private:
  Napi::ObjectReference outputs_;
  std::function<void()> run_;
};

template <MakeCall* kMake>
Napi::Value RunLater(const Napi::CallbackInfo& info) {
  return (new BatchWorker(info.Env(), kMake(info)))->Start();
}

}  // namespace

void RegisterPrune(Napi::Env env, Napi::Object exports) {
  exports.Set("rankBatch", Napi::Function::New(env, RunNow<RankCall>));
  exports.Set("rankBatchAsync", Napi::Function::New(env, RunLater<RankCall>));
  exports.Set("sliceBatch", Napi::Function::New(env, RunNow<SliceCall>));
  exports.Set("sliceBatchAsync", Napi::Function::New(env, RunLater<SliceCall>));
}

}  // namespace ssd_prune
