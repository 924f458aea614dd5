#include "addon/train.h"

#include "addon/arguments.h"
#include "addon/promise_worker.h"
#include "train/augment.h"

namespace ssd_prune {
namespace {

Augmentation ReadAugmentation(const Napi::Object& object) {
  const auto colours = object.Get("colours").As<Napi::Object>();
  const auto crop = object.Get("crop").As<Napi::Object>();
  return {.colours = {.brightness = Float(colours, "brightness"),
                      .contrast = Float(colours, "contrast"),
                      .saturation = Float(colours, "saturation"),
                      .hue = Float(colours, "hue"),
                      .contrast_last = Bool(colours, "contrastLast")},
          .left = Size(object, "left"),
          .top = Size(object, "top"),
          .crop_left = Size(crop, "left"),
          .crop_top = Size(crop, "top"),
          .crop_width = Size(crop, "width"),
          .crop_height = Size(crop, "height"),
          .mirror = Bool(object, "mirror")};
}

/// augmentInput(pixels, width, height, augmentation, format, fill, strides, batch, index): a picture into its place in
/// a training batch. `strides` are { picture, row, pixel, channel } in float32 values.
class AugmentInputWorker : public PromiseWorker {
 public:
  explicit AugmentInputWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info),
        pixels_(info[0].As<Napi::Uint8Array>().Data()),
        width_(static_cast<size_t>(info[1].As<Napi::Number>().Int64Value())),
        height_(static_cast<size_t>(info[2].As<Napi::Number>().Int64Value())),
        augmentation_(ReadAugmentation(info[3].As<Napi::Object>())),
        format_(ReadInputFormat(info[4].As<Napi::Object>())) {
    const auto fill = info[5].As<Napi::Array>();
    for (uint32_t c = 0; c < 3; ++c) {
      augmentation_.fill[c] = static_cast<uint8_t>(fill.Get(c).As<Napi::Number>().Uint32Value());
    }
    const auto strides = info[6].As<Napi::Object>();
    const int64_t index = info[8].As<Napi::Number>().Int64Value();
    place_ = {info[7].As<Napi::Float32Array>().Data() + index * Int(strides, "picture"), Int(strides, "pixel"),
              Int(strides, "row"), Int(strides, "channel")};
  }

  void Work() override { AugmentInto(pixels_, width_, height_, augmentation_, format_, place_); }

 protected:
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

 private:
  const uint8_t* pixels_;
  size_t width_;
  size_t height_;
  Augmentation augmentation_;
  InputFormat format_;
  Place place_;
};

}  // namespace

void RegisterTrain(Napi::Env env, Napi::Object exports) {
  exports.Set("augmentInput", Napi::Function::New(env, RunWorker<AugmentInputWorker>));
}

}  // namespace ssd_prune
