"""The networks of backbones.py through both PyTorch exporters."""

from torch import nn

from . import backbones as b
from .common import Ssd
from .retina import Retina

LEGACY, DYNAMO = False, True


def fill(zoo):
    zoo.torch("residual-resnet", "residual", "basic blocks, 1x1 stride-2 shortcuts, a chain of Adds on the stem's group, ReLU",
              lambda: Ssd(b.ResNet(), [8, 10]), [(LEGACY, 11), (LEGACY, 17), (DYNAMO, 18)],
              tied=[["body.stem.0", "body.l1.0.b.0", "body.l1.1.b.0"], ["body.l2.b.0", "body.l2.down.0"],
                    ["body.l3.0.b.0", "body.l3.0.down.0", "body.l3.1.b.0"]])
    zoo.torch("residual-mobilenetv2", "residual", "inverted residuals, depthwise, linear bottlenecks, ReLU6 as Clip, softmax at the end",
              lambda: Ssd(b.MobileNetV2(), [10, 20], softmax=True), [(LEGACY, 13), (DYNAMO, 18)],
              tied=[["body.b1.0.project.0", "body.b1.1.project.0", "body.b1.2.project.0"],
                    ["body.b2.0.project.0", "body.b2.1.project.0"]])
    zoo.torch("concat-densenet", "concat", "growing Concat, BatchNormalization in front of convolutions and behind Concat, AveragePool",
              lambda: Ssd(b.Dense(), [22, 22]), [(LEGACY, 12), (DYNAMO, 18)])
    zoo.torch("concat-csp-chunk", "concat", "CSP by chunk (Split), SPP of max pools, FPN with Resize nearest, Concat and Add, SiLU",
              lambda: Ssd(b.CspFpn("chunk"), [10, 12]), [(LEGACY, 13), (DYNAMO, 18)])
    zoo.torch("grouped-resnext", "grouped", "groups 4, 2, 4 and 8 between 1x1 convolutions, residual Adds, AveragePool shortcut",
              lambda: Ssd(b.ResNext(), [16, 16]), [(LEGACY, 13), (DYNAMO, 18)],
              tied=[["body.b1.2.0", "body.s1.0", "body.b2.2.0"], ["body.b3.2.0", "body.s3.0", "body.b4.2.0"]])
    zoo.torch("se-mobilenetv3", "squeeze-excite", "GlobalAveragePool, 1x1 convolutions, hardsigmoid, hardswish, 5x5 depthwise, residual",
              lambda: Ssd(b.MobileNetV2(nn.Hardswish, b.SqueezeConv, 5), [10, 20]), [(LEGACY, 14), (DYNAMO, 18)])
    zoo.torch("se-linear", "squeeze-excite", "squeeze by Linear between two views (Reshape holds the width), sigmoid gate",
              lambda: Ssd(b.MobileNetV2(nn.ReLU, b.SqueezeLinear), [10, 20]), [(LEGACY, 13), (DYNAMO, 18)])
    zoo.torch("shuffle-v2", "shuffled", "ShuffleNetV2 units: Split, Concat, channel shuffle by Reshape and Transpose",
              lambda: Ssd(b.Shuffle(), [14, 14]), [(LEGACY, 13), (DYNAMO, 18)], expect="cut-or-refuse")
    zoo.torch("shared-retina", "shared-weight", "one head tower applied to two levels, top-down Add, lateral convolutions",
              lambda: Retina(), [(LEGACY, 13), (DYNAMO, 18)], tied=[["lat.0", "lat.1"]], locked=["ends.0", "ends.1"])
    zoo.torch("shared-convs-own-bn", "shared-weight", "shared convolutions, a BatchNormalization of its own for each level (EfficientDet)",
              lambda: Retina(own_bn=True), [(LEGACY, 13), (DYNAMO, 18)], tied=[["lat.0", "lat.1"]], locked=["ends.0", "ends.1"])
    zoo.torch("shared-recurrent", "shared-weight", "one convolution applied three times to its own output; another shared by two branches",
              lambda: Ssd(b.Recurrent(), [14, 16]), [(LEGACY, 13), (DYNAMO, 18)],
              tied=[["body.stem.1.0", "body.again"], ["body.left.0", "body.right.0"]])
