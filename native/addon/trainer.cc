#include "addon/trainer.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/graph.h"
#include "addon/promise_worker.h"
#include "train/trainer.h"

namespace ssd_prune {
namespace {

double Double(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().DoubleValue();
}
LossSettings ReadLoss(const Napi::Object& object) {
  LossSettings loss;
  loss.classes = Size(object, "classes");
  Floats(object, "variances", 4, loss.variances);
  loss.overlap = Double(object, "overlap");
  loss.class_loss = static_cast<ClassLoss>(Int(object, "classLoss"));
  loss.negative_ratio = Float(object, "negativeRatio");
  loss.focal = {Double(object, "alpha"), Double(object, "gamma")};
  loss.class_weight = Double(object, "classWeight");
  loss.box_weight = Double(object, "boxWeight");
  loss.trains_background = Bool(object, "trainsBackground");
  loss.teacher_loss = static_cast<TeacherLoss>(Int(object, "teacherLoss"));
  loss.teacher_class_weight = Double(object, "teacherClassWeight");
  loss.teacher_box_weight = Double(object, "teacherBoxWeight");
  loss.temperature = Double(object, "temperature");
  loss.teacher_confidence = Double(object, "teacherConfidence");
  loss.teacher_background = Double(object, "teacherBackground");
  loss.sigmoid_scores = Bool(object, "sigmoidScores");
  loss.teacher_sigmoid_scores = Bool(object, "teacherSigmoidScores");
  return loss;
}

HeadPlaces ReadHeads(const Napi::Object& object) { return {Size(object, "scores"), Size(object, "offsets")}; }

TrainerSettings ReadSettings(const Napi::Object& object) {
  TrainerSettings settings;
  settings.loss = ReadLoss(object.Get("loss").As<Napi::Object>());
  const auto optimizer = object.Get("optimizer").As<Napi::Object>();
  settings.optimizer = {.rule = static_cast<Rule>(Int(optimizer, "rule")),
                        .momentum = Float(optimizer, "momentum"),
                        .decay = Float(optimizer, "decay"),
                        .epsilon = Float(optimizer, "epsilon"),
                        .matrix_momentum = Float(optimizer, "matrixMomentum"),
                        .average = Bool(optimizer, "average")};
  const auto groups = object.Get("groups").As<Napi::Array>();
  for (uint32_t i = 0; i < groups.Length(); ++i) {
    const auto group = groups.Get(i).As<Napi::Object>();
    settings.groups.push_back(
        {Size(group, "begin"), Size(group, "end"), Float(group, "weightDecay"), Size(group, "columns")});
  }
  const auto statistics = object.Get("statistics").As<Napi::Array>();
  for (uint32_t i = 0; i < statistics.Length(); ++i) {
    const auto range = statistics.Get(i).As<Napi::Object>();
    settings.statistics.push_back({Size(range, "begin"), Size(range, "end"), Float(range, "momentum")});
  }
  settings.heads = ReadHeads(object);
  settings.micro_batch = Size(object, "microBatch");
  settings.micro_steps = Size(object, "microSteps");
  settings.feature_weight = Double(object.Get("loss").As<Napi::Object>(), "featureWeight");
  settings.precision = ReadPrecision(object.Get("precision"));
  return settings;
}

/// The trainer and whether a step runs in it; a worker holds it too, so that it outlives its object.
struct Shared {
  explicit Shared(const Napi::Object& job)
      : trainer(ReadGraph(job.Get("graph").As<Napi::Object>()), ReadSettings(job), Priors(job), Teacher(job),
                ThreadPool::Global()) {}

  static std::span<const float> Priors(const Napi::Object& job) {
    const auto priors = job.Get("priors").As<Napi::Float32Array>();
    return {priors.Data(), priors.ElementLength()};
  }
  static std::optional<TeacherSettings> Teacher(const Napi::Object& job) {
    if (!job.Get("teacher").IsObject()) return std::nullopt;
    const auto teacher = job.Get("teacher").As<Napi::Object>();
    return TeacherSettings{ReadGraph(teacher.Get("graph").As<Napi::Object>()), ReadHeads(teacher)};
  }

  Trainer trainer;
  std::atomic<bool> abort = false;
  bool busy = false;  // main thread only
};

/// step(job): its arrays must stay as they are until the promise settles.
class StepWorker : public PromiseWorker {
 public:
  StepWorker(const Napi::CallbackInfo& info, std::shared_ptr<Shared> shared)
      : PromiseWorker(info), shared_(std::move(shared)) {
    const auto job = info[0].As<Napi::Object>();
    const auto offsets = job.Get("offsets").As<Napi::Int32Array>();
    const float* boxes = job.Get("boxes").As<Napi::Float32Array>().Data();
    const int32_t* labels = job.Get("labels").As<Napi::Int32Array>().Data();
    for (size_t i = 0; i + 1 < offsets.ElementLength(); ++i) {
      const int32_t begin = offsets[i];
      truths_.push_back({boxes + 4 * begin, labels + begin, static_cast<size_t>(offsets[i + 1] - begin)});
    }
    pictures_ = job.Get("pictures").As<Napi::Float32Array>().Data();
    const auto rates = job.Get("learningRates").As<Napi::Float32Array>();
    step_.optimizer = {.learning_rates = {rates.Data(), rates.ElementLength()},
                       .max_norm = Float(job, "maxNorm"),
                       .average_decay = Float(job, "averageDecay")};
    step_.batch_statistics = Bool(job, "batchStatistics");
    step_.loss_limit = Double(job, "lossLimit");
    shared_->abort = false;
    shared_->busy = true;
  }
  ~StepWorker() override { shared_->busy = false; }

  void Work() override { report_ = shared_->trainer.Step(pictures_, truths_, step_, shared_->abort); }

 protected:
  Napi::Value Result(Napi::Env env) override {
    const LossParts& loss = report_.loss;
    Napi::Object object = Napi::Object::New(env);
    const auto set = [&](const char* name, double value) { object.Set(name, value); };
    set("status", static_cast<double>(report_.status));
    set("loss", loss.total);
    set("classes", loss.classes);
    set("boxes", loss.boxes);
    set("teacherClasses", loss.teacher_classes);
    set("teacherBoxes", loss.teacher_boxes);
    set("teacherFeatures", loss.teacher_features);
    set("positives", static_cast<double>(loss.positives));
    set("negatives", static_cast<double>(loss.negatives));
    set("gradientNorm", report_.gradient_norm);
    set("badPicture", static_cast<double>(loss.bad_picture));
    set("badPrior", static_cast<double>(loss.bad_prior));
    set("badGroup", static_cast<double>(report_.bad_group));
    return object;
  }

 private:
  std::shared_ptr<Shared> shared_;
  const float* pictures_;
  std::vector<Truth> truths_;
  TrainerStep step_;
  StepReport report_;
};

/// statistics(pictures of one pass, found).
class StatisticsWorker : public PromiseWorker {
 public:
  StatisticsWorker(const Napi::CallbackInfo& info, std::shared_ptr<Shared> shared)
      : PromiseWorker(info), shared_(std::move(shared)), pictures_(info[0].As<Napi::Float32Array>().Data()) {
    auto found = info[1].As<Napi::Float32Array>();
    found_ = {found.Data(), found.ElementLength()};
    shared_->busy = true;
  }
  ~StatisticsWorker() override { shared_->busy = false; }

  void Work() override { shared_->trainer.MeasureStatistics(pictures_, found_); }

 protected:
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

 private:
  std::shared_ptr<Shared> shared_;
  const float* pictures_;
  std::span<float> found_;
};

class TrainerObject : public Napi::ObjectWrap<TrainerObject> {
 public:
  explicit TrainerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerObject>(info) {
    try {
      shared_ = std::make_shared<Shared>(info[0].As<Napi::Object>());
    } catch (const std::bad_alloc&) {
      throw CodedError(info.Env(), "memory ran out; try smaller micro-batches", false);
    } catch (const std::invalid_argument& error) {
      throw CodedError(info.Env(), error.what(), true);
    }
  }

  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "Trainer",
        {InstanceMethod<&TrainerObject::Step>("step"), InstanceMethod<&TrainerObject::Abort>("abort"),
         InstanceMethod<&TrainerObject::Statistics>("statistics"), InstanceMethod<&TrainerObject::Get>("get"),
         InstanceMethod<&TrainerObject::Set>("set"), InstanceMethod<&TrainerObject::Steps>("steps"),
         InstanceMethod<&TrainerObject::SetSteps>("setSteps"), InstanceMethod<&TrainerObject::Close>("close"),
         InstanceAccessor<&TrainerObject::Planes>("planes"), InstanceAccessor<&TrainerObject::Bytes>("bytes")});
  }

 private:
  Trainer& Open(Napi::Env env) {
    if (!shared_) throw CodedError(env, "This trainer was closed: make another one.", true);
    return shared_->trainer;
  }
  Trainer& Idle(Napi::Env env) {
    Trainer& trainer = Open(env);
    if (shared_->busy)
      throw CodedError(env, "A step of this trainer runs: do that between steps, in afterStep say.", true);
    return trainer;
  }

  /// Gives its memory back now: the collector doesn't know how much hangs on this small object.
  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (shared_) Idle(info.Env());
    shared_.reset();
    return info.Env().Undefined();
  }

  Napi::Value Step(const Napi::CallbackInfo& info) {
    Idle(info.Env());
    return (new StepWorker(info, shared_))->Start();  // deletes itself
  }

  Napi::Value Statistics(const Napi::CallbackInfo& info) {
    Idle(info.Env());
    return (new StatisticsWorker(info, shared_))->Start();
  }

  Napi::Value Abort(const Napi::CallbackInfo& info) {
    if (shared_) shared_->abort = true;
    return info.Env().Undefined();
  }

  /// An array by its name: weights, teacher, average, or the number of a plane of the optimiser's state.
  std::span<float> Array(const Napi::CallbackInfo& info) {
    Trainer& trainer = Idle(info.Env());
    if (info[0].IsNumber()) return trainer.optimizer().Plane(info[0].As<Napi::Number>().Uint32Value());
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    if (name == "teacher") return trainer.teacher_weights();
    return name == "average" ? trainer.optimizer().Average() : trainer.weights();
  }
  static Napi::Float32Array Matching(const Napi::CallbackInfo& info, std::span<float> own) {
    const auto array = info[1].As<Napi::Float32Array>();
    if (array.ElementLength() != own.size()) throw CodedError(info.Env(), "an array of another length", false);
    return array;
  }
  Napi::Value Get(const Napi::CallbackInfo& info) {
    const std::span<float> own = Array(info);
    std::copy(own.begin(), own.end(), Matching(info, own).Data());
    return info.Env().Undefined();
  }
  Napi::Value Set(const Napi::CallbackInfo& info) {
    const std::span<float> own = Array(info);
    std::copy_n(Matching(info, own).Data(), own.size(), own.data());
    return info.Env().Undefined();
  }

  Napi::Value Steps(const Napi::CallbackInfo& info) {
    const auto steps = Idle(info.Env()).optimizer().Steps();
    Napi::Array array = Napi::Array::New(info.Env(), steps.size());
    for (uint32_t i = 0; i < steps.size(); ++i) array.Set(i, static_cast<double>(steps[i]));
    return array;
  }
  /// setSteps(steps of each group): a state that was put in goes on, its average too; where no step was taken it begins
  /// anew.
  Napi::Value SetSteps(const Napi::CallbackInfo& info) {
    Optimizer& optimizer = Idle(info.Env()).optimizer();
    const auto array = info[0].As<Napi::Array>();
    const auto steps = optimizer.Steps();
    if (array.Length() != steps.size()) throw CodedError(info.Env(), "an array of another length", false);
    bool begun = false;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      steps[i] = static_cast<uint64_t>(array.Get(i).As<Napi::Number>().Int64Value());
      begun = begun || steps[i] > 0;
    }
    optimizer.SetAveraging(begun);
    return info.Env().Undefined();
  }

  Napi::Value Planes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(Open(info.Env()).optimizer().PlaneCount()));
  }
  Napi::Value Bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(Open(info.Env()).bytes()));
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace

void RegisterTrainer(Napi::Env env, Napi::Object exports) { exports.Set("Trainer", TrainerObject::Class(env)); }

}  // namespace ssd_prune
