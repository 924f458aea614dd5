#include "addon/calibrate.h"

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/channel_choice.h"
#include "calibrate/clipped_targets.h"
#include "calibrate/gram.h"
#include "calibrate/ridge.h"
#include "calibrate/sample_rows.h"
#include "kernels/isa.h"
#include "kernels/thread_pool.h"

namespace ssd_prune {
namespace {

size_t Size(const Napi::Object& object, const char* name) {
  return static_cast<size_t>(object.Get(name).As<Napi::Number>().Int64Value());
}
double Number(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().DoubleValue();
}
float* Floats(const Napi::Object& object, const char* name) { return object.Get(name).As<Napi::Float32Array>().Data(); }
double* Doubles(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Float64Array>().Data();
}
std::span<const int32_t> Indexes(const Napi::Object& object, const char* name) {
  const auto array = object.Get(name).As<Napi::Int32Array>();
  return {array.Data(), array.ElementLength()};
}

/// Work on libuv's threads whose arguments are held until its promise is settled; `result` becomes the promise's value.
class JobWorker : public Napi::AsyncWorker {
 public:
  JobWorker(const Napi::CallbackInfo& info, const Napi::Object& result, std::function<void()> run)
      : Napi::AsyncWorker(info.Env(), "ssd-prune"),
        deferred_(Napi::Promise::Deferred::New(info.Env())),
        job_(Napi::Persistent(info[0].As<Napi::Object>())),
        result_(Napi::Persistent(result)),
        run_(std::move(run)) {}

  Napi::Promise Start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

  void Execute() override {
    try {
      run_();
    } catch (const std::invalid_argument& error) {
      code_ = "ERR_USAGE";
      SetError(error.what());
    } catch (const std::domain_error& error) {
      code_ = "ERR_BAD_DATA";
      SetError(error.what());
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() override { deferred_.Resolve(result_.Value()); }
  void OnError(const Napi::Error& error) override {
    error.Set("code", code_);
    deferred_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference job_;
  Napi::ObjectReference result_;
  std::function<void()> run_;
  const char* code_ = "ERR_INTERNAL";
};

Napi::Value Later(const Napi::CallbackInfo& info, const Napi::Object& result, std::function<void()> run) {
  return (new JobWorker(info, result, std::move(run)))->Start();  // deletes itself
}

Samples SamplesOf(const Napi::Object& job) {
  return {Floats(job, "x"), Floats(job, "y"), Size(job, "rows"), Size(job, "columns"), Size(job, "outputs")};
}

Napi::Value SampleRowsLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const WindowedInput input{Floats(job, "values"),
                            Size(job, "pictures"),
                            Size(job, "channels"),
                            Size(job, "height"),
                            Size(job, "width"),
                            Size(job, "kernelHeight"),
                            Size(job, "kernelWidth"),
                            Size(job, "strideY"),
                            Size(job, "strideX"),
                            Size(job, "dilationY"),
                            Size(job, "dilationX"),
                            static_cast<int64_t>(Number(job, "padTop")),
                            static_cast<int64_t>(Number(job, "padLeft")),
                            Size(job, "outputWidth")};
  const auto positions = Indexes(job, "positions");
  float* rows = Floats(job, "rows");
  return Later(info, job, [=] { SampleRows(input, positions, rows, ThreadPool::Global()); });
}

Napi::Value AddSamplesLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const Samples samples = SamplesOf(job);
  const GramSums sums{job.Get("xx").IsNull() ? nullptr : Doubles(job, "xx"), Doubles(job, "xy"), Doubles(job, "yy"),
                      Doubles(job, "sx"), Doubles(job, "sy")};
  return Later(info, job, [=] { AddSamples(samples, sums, ActiveIsa(), ThreadPool::Global()); });
}

Napi::Value ClippedTargetsLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const Samples samples = SamplesOf(job);
  const ClippedLayer layer{Doubles(job, "weights"), Doubles(job, "bias"), Number(job, "low"), Number(job, "high")};
  float* targets = Floats(job, "targets");
  return Later(info, job, [=] { ClippedTargets(samples, layer, targets, ActiveIsa(), ThreadPool::Global()); });
}

RidgeProblem ProblemOf(const Napi::Object& job) {
  return {Doubles(job, "gram"), Doubles(job, "cross"), Doubles(job, "weights"),
          Size(job, "columns"), Size(job, "outputs"),  Number(job, "ridge")};
}

[[noreturn]] void NotDefinite() {
  throw std::domain_error("the second moments of a layer's inputs are not finite or not positive definite");
}

Napi::Value RidgeFitLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const RidgeProblem problem = ProblemOf(job);
  const auto kept = Indexes(job, "kept");
  double* fitted = Doubles(job, "fitted");
  return Later(info, job, [=] {
    if (!RidgeFit(problem, kept, fitted, ActiveIsa(), ThreadPool::Global())) NotDefinite();
  });
}

struct ReaderJob {
  RidgeProblem problem;
  const double* output_weights;
  std::span<const int32_t> member_begin;
  std::span<const int32_t> member_columns;
};

Napi::Value ChooseRemovalsLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const auto array = job.Get("readers").As<Napi::Array>();
  std::vector<ReaderJob> jobs;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto reader = array.Get(i).As<Napi::Object>();
    jobs.push_back({ProblemOf(reader), Doubles(reader, "outputWeights"), Indexes(reader, "memberBegin"),
                    Indexes(reader, "memberColumns")});
  }
  auto may_go = job.Get("mayGo").As<Napi::Uint8Array>();
  const std::span<const uint8_t> open(may_go.Data(), may_go.ElementLength());
  auto order = job.Get("order").As<Napi::Int32Array>();
  int32_t* removed = order.Data();
  const size_t removals = order.ElementLength();
  double* cost = Doubles(job, "cost");
  return Later(info, job, [jobs = std::move(jobs), open, removed, removals, cost] {
    ThreadPool& pool = ThreadPool::Global();
    std::vector<std::vector<double>> held;
    std::vector<ChoiceReader> readers;
    for (const ReaderJob& reader : jobs) {
      const auto [columns, outputs] = std::pair(reader.problem.columns, reader.problem.outputs);
      std::vector<double>& inverse = held.emplace_back(columns * columns);
      double* h = inverse.data();
      std::vector<double>& fitted = held.emplace_back(columns * outputs);
      if (!RidgeInverse(reader.problem, h, fitted.data(), ActiveIsa(), pool)) NotDefinite();
      readers.push_back(
          {h, fitted.data(), columns, outputs, reader.output_weights, reader.member_begin, reader.member_columns});
    }
    ChooseRemovals(readers, open, removals, removed, cost, ActiveIsa(), pool);
  });
}

}  // namespace

void RegisterCalibrate(Napi::Env env, Napi::Object exports) {
  exports.Set("sampleRows", Napi::Function::New(env, SampleRowsLater));
  exports.Set("addSamples", Napi::Function::New(env, AddSamplesLater));
  exports.Set("clippedTargets", Napi::Function::New(env, ClippedTargetsLater));
  exports.Set("ridgeFit", Napi::Function::New(env, RidgeFitLater));
  exports.Set("chooseRemovals", Napi::Function::New(env, ChooseRemovalsLater));
}

}  // namespace ssd_prune
