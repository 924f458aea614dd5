#include "addon/vision.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/promise_worker.h"
#include "vision/decode.h"
#include "vision/nms.h"
#include "vision/resize.h"

namespace ssd_prune {
namespace {

/// fillInput(pixels, width, height, format, batch, index): a picture into its place in the batch.
class FillInputWorker : public PromiseWorker {
 public:
  explicit FillInputWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info),
        pixels_(info[0].As<Napi::Uint8Array>().Data()),
        width_(static_cast<size_t>(info[1].As<Napi::Number>().Int64Value())),
        height_(static_cast<size_t>(info[2].As<Napi::Number>().Int64Value())),
        format_(ReadInputFormat(info[3].As<Napi::Object>())) {
    const auto index = static_cast<size_t>(info[5].As<Napi::Number>().Int64Value());
    out_ = info[4].As<Napi::Float32Array>().Data() + index * 3 * format_.width * format_.height;
  }

  void Work() override { ResizeInto(pixels_, width_, height_, format_, out_); }

 protected:
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

 private:
  const uint8_t* pixels_;
  size_t width_;
  size_t height_;
  InputFormat format_;
  float* out_;
};

/// detectBoxes(scores, boxes, priors, settings, index): what NMS leaves of the picture at `index` of a batch, as rows
/// of label, score, xmin, ymin, xmax, ymax. `priors` is empty where boxes are corners.
class DetectBoxesWorker : public PromiseWorker {
 public:
  explicit DetectBoxesWorker(const Napi::CallbackInfo& info) : PromiseWorker(info) {
    const auto settings = info[3].As<Napi::Object>();
    const auto index = static_cast<size_t>(info[4].As<Napi::Number>().Int64Value());
    count_ = static_cast<size_t>(Int(settings, "boxes"));
    classes_ = static_cast<size_t>(Int(settings, "classes"));
    logits_ = Bool(settings, "logits");
    corners_ = Bool(settings, "corners");
    Floats(settings, "variances", 4, variances_);
    nms_.score_threshold = Float(settings, "scoreThreshold");
    nms_.iou_threshold = Float(settings, "iouThreshold");
    nms_.top_k = Int(settings, "topK");
    nms_.keep_top_k = Int(settings, "keepTopK");
    scores_ = info[0].As<Napi::Float32Array>().Data() + index * count_ * classes_;
    boxes_ = info[1].As<Napi::Float32Array>().Data() + index * count_ * 4;
    priors_ = info[2].As<Napi::Float32Array>().Data();
  }

  void Work() override {
    std::vector<float> probabilities;
    if (logits_) {
      probabilities.resize(count_ * classes_);
      Softmax(scores_, count_, classes_, probabilities.data());
    }
    std::vector<float> decoded;
    if (!corners_) {
      decoded.resize(count_ * 4);
      DecodeCenterSize(boxes_, priors_, count_, variances_, decoded.data());
    }
    const float* corners = corners_ ? boxes_ : decoded.data();
    const float* scores = logits_ ? probabilities.data() : scores_;
    for (const Detection& found : MulticlassNms(corners, scores, count_, classes_, nms_)) {
      const float* box = corners + 4 * static_cast<size_t>(found.box);
      rows_.insert(rows_.end(), {static_cast<float>(found.label), found.score, box[0], box[1], box[2], box[3]});
    }
  }

 protected:
  Napi::Value Result(Napi::Env env) override {
    auto rows = Napi::Float32Array::New(env, rows_.size());
    std::copy(rows_.begin(), rows_.end(), rows.Data());
    return rows;
  }

 private:
  const float* scores_;
  const float* boxes_;
  const float* priors_;
  size_t count_;
  size_t classes_;
  bool logits_;
  bool corners_;
  float variances_[4];
  NmsSettings nms_;
  std::vector<float> rows_;
};

}  // namespace

void RegisterVision(Napi::Env env, Napi::Object exports) {
  exports.Set("fillInput", Napi::Function::New(env, RunWorker<FillInputWorker>));
  exports.Set("detectBoxes", Napi::Function::New(env, RunWorker<DetectBoxesWorker>));
}

}  // namespace ssd_prune
