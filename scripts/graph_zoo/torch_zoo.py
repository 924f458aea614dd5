"""The networks of backbones.py through both PyTorch exporters."""

from torch import nn
from torch.export import Dim
from torch.onnx import TrainingMode

from . import backbones as b
from .common import Ssd
from .retina import Retina

LEGACY, DYNAMO = False, True


def fill(zoo):
    zoo.torch("residual-resnet", "residual", "basic blocks, 1x1 stride-2 shortcuts, a chain of Adds on the stem's group, ReLU",
              lambda: Ssd(b.ResNet(), [8, 10]), [(LEGACY, 17), (DYNAMO, 18)], keep_shapes=True,
              tied=[["body.stem.0", "body.l1.0.b.0", "body.l1.1.b.0"], ["body.l2.b.0", "body.l2.down.0"],
                    ["body.l3.b.0", "body.l3.down.0"]])
    zoo.torch("residual-mobilenetv2", "residual", "inverted residuals, depthwise, linear bottlenecks, ReLU6 as Clip, softmax at the end",
              lambda: Ssd(b.MobileNetV2(), [10, 20], softmax=True), [(DYNAMO, 18)],
              tied=[["body.b1.0.project.0", "body.b1.1.project.0"]])
    zoo.torch("concat-densenet", "concat", "growing Concat, BatchNormalization in front of convolutions and behind Concat, AveragePool",
              lambda: Ssd(b.Dense(), [22, 22]), [(LEGACY, 12)])
    zoo.torch("concat-csp-chunk", "concat", "CSP by chunk (Split), SPP of max pools, FPN with Resize nearest, Concat and Add, SiLU",
              lambda: Ssd(b.CspFpn("chunk"), [10, 12]), [(DYNAMO, 18)])
    zoo.torch("grouped-resnext", "grouped", "groups 4, 2, 4 and 8 between 1x1 convolutions, residual Adds, AveragePool shortcut",
              lambda: Ssd(b.ResNext(), [16, 16]), [(LEGACY, 13), (DYNAMO, 18)], keep_shapes=True,
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
              lambda: Retina(own_bn=True), [(LEGACY, 13)], tied=[["lat.0", "lat.1"]], locked=["ends.0", "ends.1"], training=TrainingMode.PRESERVE)
    zoo.torch("own-bn-folded", "shared-weight", "the same with BatchNormalization folded: one weight became one a level",
              lambda: Retina(own_bn=True), [(DYNAMO, 18)], tied=[["lat.0", "lat.1"]], locked=["ends.0", "ends.1"])
    zoo.torch("shared-recurrent", "shared-weight", "one convolution applied three times to its own output; another shared by two branches",
              lambda: Ssd(b.Recurrent(), [14, 16]), [(LEGACY, 13), (DYNAMO, 18)],
              tied=[["body.stem.1.0", "body.again"], ["body.left.0", "body.right.0"]])
    zoo.torch("grouped-multiplier", "grouped", "depthwise convolutions with two outputs an input, then 1x1",
              lambda: Ssd(b.Multiplier(), [16, 24]), [(DYNAMO, 20)])
    zoo.torch("concat-csp-slice", "concat", "the same network, halves taken by two Slices of one tensor", lambda: Ssd(b.CspFpn("slice"), [10, 12]), [(LEGACY, 11)])
    zoo.torch("se-mean", "squeeze-excite", "squeeze by ReduceMean, Linear, gate unsqueezed and expanded (Shape, Expand)",
              lambda: Ssd(b.MobileNetV2(nn.SiLU, b.SqueezeMean), [10, 20]), [(LEGACY, 16)])
    zoo.torch("dynamic-batch", "dynamic", "free batch; head reshapes computed by Shape, Gather and Concat", lambda: Ssd(b.Plain(), [16, 20], dynamic_view=True),
              [(LEGACY, 11)], dynamic={0: "n"})
    zoo.torch("dynamic-size", "dynamic", "free batch, height and width, squeeze-excite whose view is computed from Shape",
              lambda: Ssd(b.MobileNetV2(nn.ReLU, b.SqueezeLinear), [10, 20], dynamic_view=True), [(LEGACY, 17)], dynamic={0: "n", 2: "h", 3: "w"})
    zoo.torch("dynamic-all", "dynamic", "free batch, height and width from the newer exporter; node metadata and value_info kept", lambda: Ssd(b.Short(), [14, 18], dynamic_view=True), [(DYNAMO, 21)],
              dynamic={0: Dim("n", min=1, max=8), 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}, keep_metadata=True)
    zoo.torch("shuffle-pixel", "shuffled", "pixel unshuffle of the picture, DepthToSpace (CRD) between convolutions",
              lambda: Ssd(b.PixelShuffle(), [12, 16]), [(DYNAMO, 18)], expect="cut-or-refuse")
    zoo.torch("norms", "neighbours", "GroupNorm locks its convolution; InstanceNorm, PReLU, LeakyReLU, reflect and constant Pad, ceil MaxPool, dilation, Softplus, Mish",
              lambda: Ssd(b.Norms(), [16, 12]), [(LEGACY, 13), (DYNAMO, 18)], locked=["body.group.0"])
    zoo.torch("bn-unfolded", "neighbours", "BatchNormalization kept, LeakyReLU", lambda: Ssd(b.Plain(nn.LeakyReLU), [16, 20]), [(LEGACY, 15)],
              training=TrainingMode.PRESERVE, do_constant_folding=False)
    zoo.torch("bn-unfolded", "neighbours", "unoptimised: BatchNormalization, Identity and constants as the exporter first writes them",
              lambda: Ssd(b.Short(), [14, 18]), [(DYNAMO, 23)], optimize=False)
    zoo.torch("upsampling", "neighbours", "ConvTranspose (output axis 1), depthwise ConvTranspose, Flatten of 2x2 places and Linear as a gate, Concat",
              lambda: Ssd(b.Upsampling(), [24, 16]), [(LEGACY, 13)])
    zoo.torch("convnext", "neighbours", "ConvNeXt block: Transpose, LayerNormalization, MatMul, GELU, layer scale, Transpose, Add; the normalised channels are locked",
              lambda: Ssd(b.ConvNext(), [10, 14]), [(DYNAMO, 20)], locked=["body.stem.2.0", "body.dw"])
    zoo.torch("attention", "locked", "a transformer encoder layer between convolutions; what it mixes is locked",
              lambda: Ssd(b.Attention(), [12, 14]), [(DYNAMO, 18)], locked=["body.low.2.0"])
    zoo.torch("glu", "shuffled", "GLU ties channel i to i + C/2 of one convolution, CReLU reads every channel twice",
              lambda: Ssd(b.Glu(), [14, 12]), [(DYNAMO, 18)], expect="cut-or-refuse")
    zoo.torch("einsum", "locked", "Einsum between channels (its parameter isn't a convolution's), GLU and CReLU before it",
              lambda: Ssd(b.Glu(einsum=True), [12, 12]), [(LEGACY, 13)], expect="cut-or-refuse")
