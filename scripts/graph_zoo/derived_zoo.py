"""Graphs made from exported ones: Constant nodes, Identity, deduplication, old formats, half precision, quantisation."""

import torch
from onnx import TensorProto
from torch import nn
from torch.onnx import TrainingMode

from . import backbones as b
from . import transforms as t
from .common import Ssd, convolution_weights, export, seed_weights


def net(build, name):
    model = build().eval()
    seed_weights(model, name)
    return model


def plain(act=nn.ReLU):
    return Ssd(b.Plain(act), [16, 20])


def fill(zoo):
    legacy = "torch.onnx.export dynamo=False"
    resnet = lambda: Ssd(b.ResNet(), [8, 10])
    if zoo.wants("constant"):
        model = t.constants_only(export(net(resnet, "constant-resnet"), 11, False))
        zoo.add("constant-resnet-legacy-11", "constant", "every weight and shape a Constant node in front of its reader (as paddle2onnx)",
                model, exporter=legacy + ", then Constant nodes")
        model = export(net(plain, "constant-mobilenet"), 11, False, training=TrainingMode.PRESERVE, do_constant_folding=False)
        zoo.add("constant-bn-legacy-11", "constant", "Constant nodes for all parameters of unfolded BatchNormalization too",
                t.constants_only(model), exporter=legacy + " training=PRESERVE, then Constant nodes")
        model = t.constants_only(export(net(lambda: Ssd(b.Dense(), [22, 22]), "constant-dense"), 18, True))
        zoo.add("constant-densenet-dynamo-18", "constant", "the same of a DenseNet from the newer exporter",
                model, exporter="torch.onnx.export dynamo=True, then Constant nodes")
    if zoo.wants("identity"):
        model = t.behind_identity(export(net(plain, "identity"), 13, False))
        zoo.add("identity-weights-legacy-13", "constant", "every other weight or bias behind one or two Identity nodes", model,
                exporter=legacy + ", then Identity nodes")
    if zoo.wants("dedup"):
        model = net(plain, "dedup")
        with torch.no_grad():  # a fresh network: all scales 1, shifts 0; so heads and backbone share vectors
            for m in model.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.weight.fill_(1), m.bias.fill_(0), m.running_mean.fill_(0), m.running_var.fill_(1)
                elif isinstance(m, nn.Conv2d) and m.bias is not None:
                    m.bias.zero_()
        model = export(model, 13, False, training=TrainingMode.PRESERVE)
        zoo.add("dedup-identity-legacy-13", "constant", "the exporter itself shares equal vectors of fresh layers through Identity nodes: "
                "one zero vector serves different groups and a locked head's bias", model,
                exporter=legacy + " training=PRESERVE")
        zoo.add("dedup-shared-legacy-13", "constant", "the same after a simplifier: groups of equal width read the very same initializers",
                t.without_identity(model), exporter=legacy + " training=PRESERVE, Identity removed")
    if zoo.wants("old-format"):
        model = t.as_inputs(t.typed_data(export(net(plain, "old-format"), 9, False)))
        zoo.add("old-format-legacy-9", "constant", "IR 3: initializers are graph inputs (before the image), float_data instead of raw data",
                model, exporter=legacy + ", then IR 3")
    if zoo.wants("fp16"):
        model = export(net(lambda: plain(nn.ReLU6), "fp16"), 13, False)
        zoo.add("fp16-all-legacy-13", "fp16", "everything float16, input and outputs too; ReLU6 as Clip", t.half(model, False),
                expect="cut-or-refuse", exporter=legacy + ", then float16")
        zoo.add("fp16-casts-legacy-13", "fp16", "float32 outside, Cast to and from float16", t.half(model, True),
                expect="cut-or-refuse", exporter=legacy + ", then float16")
        model = t.half(export(net(resnet, "fp16-resnet"), 18, True), True)
        zoo.add("fp16-resnet-dynamo-18", "fp16", "residual network in float16 with Casts outside", model,
                expect="cut-or-refuse", exporter="torch.onnx.export dynamo=True, then float16")
    if zoo.wants("quant"):
        model = export(net(lambda: Ssd(b.Short(), [14, 18]), "quant"), 13, False)
        for how, per_channel in (("qdq", True), ("qoperator", True), ("dynamic", False)):
            name = f"quant-{how}{'-per-channel' if per_channel else '-per-tensor'}-13"
            zoo.add(name, "quantised", f"{how}, weights {'per channel' if per_channel else 'per tensor'}",
                    t.quantised(model, how, per_channel), expect="cut-or-refuse", exporter=legacy + ", onnxruntime.quantization")
        model = export(net(resnet, "quant-resnet"), 17, False)
        zoo.add("quant-qdq-resnet-17", "quantised", "QDQ of a residual network: Adds between quantised branches, int8 biases in int32",
                t.quantised(model, "qdq", True), expect="cut-or-refuse", exporter=legacy + ", onnxruntime.quantization")
