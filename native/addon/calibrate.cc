#include "addon/calibrate.h"

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "addon/promise_worker.h"
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

/// A job whose arguments are held until its promise is settled; it is resolved with what the work says.
class JobWorker : public PromiseWorker {
 public:
  JobWorker(const Napi::CallbackInfo& info, std::function<bool()> run) : PromiseWorker(info), run_(std::move(run)) {}

 protected:
  void Work() override { done_ = run_(); }
  Napi::Value Result(Napi::Env env) override { return Napi::Boolean::New(env, done_); }

 private:
  std::function<bool()> run_;
  bool done_ = false;
};

Napi::Value Later(const Napi::CallbackInfo& info, std::function<bool()> run) {
  return (new JobWorker(info, std::move(run)))->Start();  // deletes itself
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
  return Later(info, [=] {
    SampleRows(input, positions, rows, ThreadPool::Global());
    return true;
  });
}

Napi::Value AddSamplesLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const Samples samples = SamplesOf(job);
  const GramSums sums{job.Get("xx").IsNull() ? nullptr : Doubles(job, "xx"), Doubles(job, "xy"), Doubles(job, "yy"),
                      Doubles(job, "sx"), Doubles(job, "sy")};
  return Later(info, [=] {
    AddSamples(samples, sums, ActiveIsa(), ThreadPool::Global());
    return true;
  });
}

Napi::Value ClippedTargetsLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const Samples samples = SamplesOf(job);
  const ClippedLayer layer{Doubles(job, "weights"), Doubles(job, "bias"), Number(job, "low"), Number(job, "high")};
  float* targets = Floats(job, "targets");
  return Later(info, [=] {
    ClippedTargets(samples, layer, targets, ActiveIsa(), ThreadPool::Global());
    return true;
  });
}

RidgeProblem ProblemOf(const Napi::Object& job) {
  return {Doubles(job, "gram"), Doubles(job, "cross"), Doubles(job, "weights"),
          Size(job, "columns"), Size(job, "outputs"),  Number(job, "ridge")};
}

Napi::Value RidgeFitLater(const Napi::CallbackInfo& info) {
  const auto job = info[0].As<Napi::Object>();
  const RidgeProblem problem = ProblemOf(job);
  const auto kept = Indexes(job, "kept");
  double* fitted = Doubles(job, "fitted");
  return Later(info, [=] { return RidgeFit(problem, kept, fitted, ActiveIsa(), ThreadPool::Global()); });
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
  return Later(info, [jobs = std::move(jobs), open, removed, removals, cost] {
    ThreadPool& pool = ThreadPool::Global();
    std::vector<std::vector<double>> held;
    std::vector<ChoiceReader> readers;
    for (const ReaderJob& reader : jobs) {
      const auto [columns, outputs] = std::pair(reader.problem.columns, reader.problem.outputs);
      std::vector<double>& inverse = held.emplace_back(columns * columns);
      double* h = inverse.data();
      std::vector<double>& fitted = held.emplace_back(columns * outputs);
      if (!RidgeInverse(reader.problem, h, fitted.data(), ActiveIsa(), pool)) return false;
      readers.push_back(
          {h, fitted.data(), columns, outputs, reader.output_weights, reader.member_begin, reader.member_columns});
    }
    ChooseRemovals(readers, open, removals, removed, cost, ActiveIsa(), pool);
    return true;
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
