"""Graphs by hand: shapes as constants or computed, layouts, the idioms of tf2onnx and paddle2onnx."""

import numpy as np
from onnx import TensorProto, helper

from .builder import Graph
from .common import CLASSES, PRIORS, filters
from .hand_neighbours import SIDE, finish, start


def constant_shapes():
    """The width stands in constants: a Reshape's [1,12,1,1], an Expand's, a Resize's sizes; one constant for two groups."""
    g, x = start("constant-shapes")
    both = g.ints([1, 12, 64], "shared_shape")
    a = g.op("ReduceMean", g.op("Reshape", x, both), axes=[2], keepdims=0)
    x = g.op("Mul", x, g.op("Reshape", g.op("Sigmoid", a), g.ints([1, 12, 1, 1])))
    y = g.conv("a", x, 12, 12, act=None)
    y = g.op("Reshape", g.op("Relu", g.op("Reshape", y, both)), g.ints([0, 0, 8, 8]))
    s = g.op("Expand", g.op("GlobalMaxPool", y), g.ints([1, 12, 8, 8]))
    z = g.conv("b", g.op("Add", y, s), 12, 10)
    up = g.op("Resize", z, "", "", g.ints([1, 10, 16, 16]), mode="nearest")
    z = g.op("MaxPool", g.op("Tile", up, g.ints([1, 1, 1, 2])), kernel_shape=[2, 4], strides=[2, 4])
    return finish(g, z, 10)


def reshape_forms():
    """Reshape by 0 and -1, Flatten by axis 2 and 3, Squeeze and Unsqueeze; heads by [0,-1,4] and by (N,C,HW) first."""
    g, x = start("reshape-forms")
    s = g.op("ReduceSum", g.op("Reshape", x, g.ints([0, 0, -1])), g.ints([2]), keepdims=0)
    s = g.op("Unsqueeze", g.op("Tanh", s), g.ints([2, 3]))
    x = g.conv("a", g.op("Mul", x, s), 12, 14)
    t = g.op("Squeeze", g.op("GlobalAveragePool", x), g.ints([2, 3]))
    x = g.op("Add", x, g.op("Reshape", t, g.ints([0, -1, 1, 1])))
    g.boxes.append(g.rows(g.conv("loc_a", x, 14, PRIORS * 4, act=None), 4, g.ints([0, -1, 4])))
    y = g.op("Reshape", g.conv("conf_a", x, 14, PRIORS * CLASSES, act=None), g.ints([0, 0, -1]))
    g.scores.append(g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1]), g.ints([0, -1, CLASSES])))
    return finish(g, x, 14)


def flatten_gemm():
    """Beside the heads a class from Flatten and Gemm: 64 rows a channel (transB 0), 16 after pooling (transB 1), and NHWC rows."""
    g, x = start("flatten-gemm")
    x = g.conv("a", x, 12, 8)
    r = lambda name, *shape: g.put(name, g.rng.normal(0, 0.1, shape))
    one = g.op("Gemm", g.op("Flatten", x), r("gemm0.w", 8 * 64, 4), r("gemm0.b", 4), transB=0)
    pooled = g.op("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4])
    two = g.op("Gemm", g.op("Flatten", pooled, axis=-3), r("gemm1.w", 4, 8 * 4), transB=1, alpha=0.5)
    nhwc = g.op("Reshape", g.op("Transpose", pooled, perm=[0, 2, 3, 1]), g.ints([1, -1]))
    three = g.op("MatMul", nhwc, r("matmul.w", 4 * 8, 4))
    label = g.op("Sum", one, two, three, name="label")
    g.output(label, [None, 4])
    return finish(g, x, 8)


def linear_heads():
    """Heads as MatMul in NHWC: the feature map's channels are rows of a MatMul."""
    g, x = start("linear-heads")
    x = g.conv("a", x, 12, 16)
    for i, (v, c) in enumerate(((x, 16), (g.conv("b", x, 16, 14, 1, 2), 14))):
        t = g.op("Transpose", v, perm=[0, 2, 3, 1])
        for ends, n, what in ((g.boxes, 4, "loc"), (g.scores, CLASSES, "conf")):
            y = g.op("MatMul", t, g.put(f"{what}{i}.w", filters(g.rng, (PRIORS * n, c)).T.copy()))
            y = g.op("Add", g.put(f"{what}{i}.b", g.rng.normal(0, 0.2, PRIORS * n)), y)
            ends.append(g.op("Reshape", y, g.ints([0, -1, n])))
    return g.model()


def tf_style():
    """As tf2onnx leaves a detector: NHWC picture, Transposes around an NHWC Add and constants along the last axis, ReLU6 by
    Min and Max, a depthwise weight by Reshape, shapes computed by Shape, Cast, Slice and Concat."""
    g = Graph("tf-style", 11, SIDE)
    g.inputs[0] = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, SIDE, SIDE, 3])
    zero, six = g.put("relu/zero", np.float32(0)), g.put("relu/six", np.float32(6))
    x = g.op("Sub", g.op("Mul", "image", g.put("preprocess/scale", np.float32([0.5, 0.6, 0.4]))), g.put("preprocess/mean", np.float32([0.1, 0.2, 0.3])))
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    x = g.conv("stem", x, 3, 8, 3, 2, act=None, bias=False, pads=[0, 0, 1, 1])
    x = g.op("Transpose", x, perm=[0, 2, 3, 1])
    x = g.op("Add", x, g.put("stem/BiasAdd", g.rng.normal(0, 0.2, 8)))
    x = g.op("Min", g.op("Max", x, zero), six)
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    hwcm = g.put("depthwise/weights", filters(g.rng, (3, 3, 8, 1), 9))
    w = g.op("Reshape", g.op("Transpose", hwcm, perm=[2, 3, 0, 1]), g.ints([8, 1, 3, 3]))
    x = g.op("Conv", x, w, kernel_shape=[3, 3], strides=[2, 2], group=8, pads=[0, 0, 1, 1])
    x = g.op("Relu", g.bn("bn", x, 8))
    x = g.conv("expand", x, 8, 20)
    a = g.op("Transpose", g.conv("project", x, 20, 12, act=None), perm=[0, 2, 3, 1])
    b = g.op("Transpose", g.conv("other", x, 20, 12, 3, act=None), perm=[0, 2, 3, 1])
    x = g.op("Transpose", g.op("Relu", g.op("Mul", g.op("Add", a, b), g.put("gain", g.rng.uniform(0.5, 1.5, 12)))), perm=[0, 3, 1, 2])
    y = g.conv("tail", x, 12, 14, 1, 2)
    for i, (v, c) in enumerate(((x, 12), (y, 14))):
        for ends, n, what in ((g.boxes, 4, "BoxEncoding"), (g.scores, CLASSES, "ClassPredictor")):
            t = g.op("Transpose", g.conv(f"{what}_{i}", v, c, PRIORS * n, act=None), perm=[0, 2, 3, 1])
            size = g.op("Cast", g.op("Shape", t), to=TensorProto.INT32)
            batch = g.op("Cast", g.op("Slice", size, g.ints([0]), g.ints([1]), g.ints([0])), to=TensorProto.INT64)
            ends.append(g.op("Reshape", t, g.op("Concat", batch, g.ints([-1]), g.ints([n]), axis=0)))
    return g.model()


def weight_transposed():
    """A convolution whose weight is an HWIO constant behind a Transpose: its output axis is the constant's axis 3."""
    g, x = start("weight-transposed")
    w = g.put("hwio", filters(g.rng, (1, 1, 12, 16), 12))
    x = g.op("Relu", g.op("Conv", x, g.op("Transpose", w, perm=[3, 2, 0, 1])))
    return finish(g, g.conv("after", x, 16, 14), 14)


def paddle_style():
    """As paddle2onnx writes: Constant nodes only, biases as Reshape and Add, hard_swish by Add, Clip, Mul, Div,
    BatchNormalization kept, nearest_interp by computed sizes, box and score reshapes by 0 and -1."""
    g = Graph("paddle-style", 11, SIDE, constants=True)
    count = [0]

    def conv(x, cin, cout, k=1, s=1, group=1, act="hard_swish"):
        i = count[0]
        count[0] += 1
        w = g.put(f"conv2d_{i}.w_0", filters(g.rng, (cout, cin // group, k, k)))
        y = g.op("Conv", x, w, dilations=[1, 1], kernel_shape=[k, k], strides=[s, s], group=group, pads=[k // 2] * 4)
        if act is None:
            return g.op("Add", y, g.op("Reshape", g.put(f"conv2d_{i}.b_0", g.rng.normal(0, 0.2, cout)), g.ints([1, -1, 1, 1])))
        y = g.bn(f"batch_norm_{i}", y, cout)
        if act == "relu":
            return g.op("Relu", y)
        three = g.put(g.fresh("const"), np.float32([3]))
        gate = g.op("Clip", g.op("Add", y, three), g.put(g.fresh("min"), np.float32(0)), g.put(g.fresh("max"), np.float32(6)))
        return g.op("Div", g.op("Mul", y, gate), g.put(g.fresh("const"), np.float32([6])))

    x = conv("image", 3, 8, 3, 2)
    x = conv(conv(x, 8, 8, 3, 2, 8, "relu"), 8, 12)
    y = conv(conv(x, 12, 12, 3, 2, 12, "relu"), 12, 16)
    size = g.op("Slice", g.op("Shape", x), g.ints([2]), g.ints([4]), g.ints([0]))
    batch = g.op("Slice", g.op("Shape", y), g.ints([0]), g.ints([2]), g.ints([0]))
    empty = g.put("empty", np.float32([]))
    up = g.op("Resize", y, empty, empty, g.op("Concat", batch, size, axis=0), mode="nearest",
              coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    p = conv(g.op("Concat", up, x, axis=1), 28, 14)
    for v, c in ((p, 14), (y, 16)):
        g.boxes.append(g.rows(conv(v, c, PRIORS * 4, act=None), 4, g.ints([0, -1, 4])))
        g.scores.append(g.rows(conv(v, c, PRIORS * CLASSES, act=None), CLASSES, g.ints([0, -1, CLASSES])))
    boxes, scores = g.ends()
    flat = g.op("Softmax", g.op("Reshape", scores, g.ints([-1, CLASSES])), axis=-1)
    scores = g.op("Reshape", flat, g.op("Shape", scores))
    scores = g.op("Transpose", scores, perm=[0, 2, 1])
    g.output(boxes, [None, None, 4])
    g.output(scores, [None, CLASSES, None])
    return g.model(ends=False)


def standardised():
    """Weight standardisation: the weight is computed from a constant, its mean taken over axes 1 to 3; and a weight that
    is a convolution's and the graph's answer at once."""
    g, x = start("weight-computed")
    w = g.put("raw.w", filters(g.rng, (12, 12, 3, 3)))
    centred = g.op("Sub", w, g.op("ReduceMean", w, axes=[1, 2, 3], keepdims=1))
    spread = g.op("Sqrt", g.op("ReduceMean", g.op("Mul", centred, centred), axes=[1, 2, 3], keepdims=1))
    x = g.op("Relu", g.op("Conv", x, g.op("Div", centred, spread), kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    x = g.conv("penalised", x, 12, 12)
    penalty = g.op("ReduceSumSquare", "penalised.w", keepdims=0, name="penalty")
    g.output(penalty, [])
    return finish(g, x, 12)


def fill(zoo):
    def add(build, category, has, expect="cut25", **more):
        model = build()
        zoo.add(f"{model.graph.name}-{model.opset_import[0].version}", category, has, model, expect, **more)

    add(constant_shapes, "dynamic", "the width in constants of Reshape, Expand and Resize; one shape constant for two groups", tied=[])
    add(reshape_forms, "dynamic", "Reshape by 0 and -1, Squeeze, Unsqueeze, ReduceSum of places, three head layouts")
    add(flatten_gemm, "neighbours", "Flatten + Gemm (both transB, several places a channel), NHWC rows of a MatMul, beside the heads")
    add(linear_heads, "neighbours", "heads as MatMul + Add in NHWC", locked=["loc0.w", "conf0.w"], note="MatMul weights: the output axis is 1")
    add(tf_style, "neighbours", "tf2onnx: NHWC input, Transposes in the middle, constants on the last axis, weight by Transpose and Reshape, computed shapes",
        tied=[["project.w", "other.w"]], note="stem is read by a depthwise weight behind Transpose and Reshape: cut it right or leave it")
    add(weight_transposed, "constant", "HWIO weight behind a Transpose", "cut-or-refuse")
    add(paddle_style, "constant", "paddle2onnx: Constant nodes only, bias by Reshape and Add, hard_swish in parts, computed Resize sizes, Softmax between Reshapes")
    add(standardised, "locked", "a weight computed from a constant by its mean and deviation; another that is read by ReduceSumSquare too",
        "cut-or-refuse", locked=["second.w"],
        note="raw.w may lose output channels (statistics are a channel's own) but no input channels; cutting penalised.w keeps the penalty equal to the masked one's")
