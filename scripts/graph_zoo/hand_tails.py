"""Graphs by hand: detections inside the graph, subgraphs, functions, foreign operators, and networks without a way in."""

import numpy as np
from onnx import TensorProto, helper

from .builder import Graph
from .common import CLASSES, PRIORS
from .hand_neighbours import SIDE, finish, start

PLACES = (8 * 8 + 4 * 4) * PRIORS


def heads(g, x, c):
    g.head(x, c)
    y = g.conv("tail", x, c, 14, 1, 2)
    g.head(y, 14)
    return g.ends()


def corners(g, boxes):
    """Offsets -> corners by priors and variances: Mul, Add, Exp, Slice, Concat."""
    priors = g.put("priors", np.concatenate([g.rng.uniform(0.1, 0.9, (1, PLACES, 2)), g.rng.uniform(0.1, 0.4, (1, PLACES, 2))], 2))
    first, last = (g.ints([0]), g.ints([2]), g.ints([2])), (g.ints([2]), g.ints([4]), g.ints([2]))
    scaled = g.op("Mul", boxes, g.put("variances", np.float32([0.1, 0.1, 0.2, 0.2])))
    size = g.op("Mul", g.op("Exp", g.op("Clip", g.op("Slice", scaled, *last), "", g.put("most", np.float32(2)))), g.op("Slice", priors, *last))
    centre = g.op("Add", g.op("Mul", g.op("Slice", scaled, *first), g.op("Slice", priors, *last)), g.op("Slice", priors, *first))
    half = g.op("Mul", size, g.put("half", np.float32(0.5)))
    return g.op("Concat", g.op("Sub", centre, half), g.op("Add", centre, half), axis=2)


def nms():
    g, x = start("nms-tail", 11)
    x = g.conv("a", x, 12, 14)
    boxes, scores = heads(g, x, 14)
    boxes = corners(g, boxes)
    scores = g.op("Transpose", g.op("Softmax", scores, axis=2), perm=[0, 2, 1])
    picked = g.op("NonMaxSuppression", boxes, scores, g.ints([5]), g.put("iou", np.float32([0.45])), g.put("least", np.float32([0.05])), name="selected")
    at = g.op("Squeeze", g.op("Slice", picked, g.ints([2]), g.ints([3]), g.ints([1])), axes=[1])
    chosen = g.op("Gather", g.op("Squeeze", boxes, axes=[0]), at, axis=0, name="selected_boxes")
    g.output(picked, [None, 3], TensorProto.INT64)
    g.output(chosen, [None, 4])
    return g.model(ends=False)


def topk():
    """torchvision's order: Softmax, ArgMax, TopK, GatherElements, NonMaxSuppression on what is left."""
    g, x = start("topk-tail", 13)
    x = g.conv("a", x, 12, 14)
    boxes, scores = heads(g, x, 14)
    boxes = corners(g, boxes)
    probability = g.op("Softmax", scores, axis=2)
    objects = g.op("Slice", probability, g.ints([1]), g.ints([2**63 - 1]), g.ints([2]))
    best = g.op("ReduceMax", objects, axes=[2], keepdims=0)
    labels = g.op("ArgMax", objects, axis=2, keepdims=0)
    values, at = g.op("TopK", best, g.ints([20]), outputs=2, axis=1)
    g.nodes[-1].output[0] = "top_scores"
    four = g.op("Expand", g.op("Unsqueeze", at, g.ints([2])), g.ints([1, 20, 4]))
    top = g.op("GatherElements", boxes, four, axis=1, name="top_boxes")
    kind = g.op("GatherElements", labels, at, axis=1, name="top_labels")
    left = g.op("NonMaxSuppression", top, g.op("Unsqueeze", "top_scores", g.ints([1])), g.ints([10]), g.put("iou", np.float32([0.5])), name="kept")
    g.output(top, [1, 20, 4])
    g.output("top_scores", [1, 20])
    g.output(kind, [1, 20], TensorProto.INT64)
    g.output(left, [None, 3], TensorProto.INT64)
    return g.model(ends=False)


def branch():
    """If whose branches read an activation of the outer graph by name."""
    g, x = start("if-captures")
    x = g.conv("captured", x, 12, 12)
    mean = g.op("ReduceMean", "image", keepdims=0)
    condition = g.op("Greater", mean, g.put("zero", np.float32(0)))
    body = lambda name, op: helper.make_graph([helper.make_node(op, [x], [name + "_out"])], name, [],
                                              [helper.make_tensor_value_info(name + "_out", TensorProto.FLOAT, None)])
    y = g.op("If", condition, then_branch=body("then", "Sigmoid"), else_branch=body("else", "Tanh"))
    return finish(g, g.conv("after", y, 12, 14), 14)


def loop():
    """Loop that adds an outer activation three times; a convolution inside reads an outer weight."""
    g, x = start("loop-captures")
    x = g.conv("captured", x, 12, 12)
    w = g.put("outer.w", g.rng.normal(0, 0.2, (12, 12, 1, 1)))
    value = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    body = helper.make_graph(
        [helper.make_node("Conv", ["state", w], ["mixed"]), helper.make_node("Add", ["mixed", x], ["next"]),
         helper.make_node("Identity", ["go"], ["still"])], "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("state", TensorProto.FLOAT, [1, 12, 8, 8])],
        [value("still", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [1, 12, 8, 8])])
    y = g.op("Loop", g.put("times", np.int64(3)), g.put("yes", np.bool_(True)), x, body=body)
    return finish(g, g.conv("after", y, 12, 14), 14)


def foreign():
    """Operators of ONNX Runtime's own domain: QuickGelu on an activation, FusedConv as a convolution."""
    g, x = start("foreign-domain")
    g.domains["com.microsoft"] = 1
    x = g.conv("gelu", x, 12, 12, act=None)
    x = g.op("QuickGelu", x, domain="com.microsoft", alpha=1.702)
    x = g.conv("before", x, 12, 14)
    x = g.op("FusedConv", x, g.put("fused.w", g.rng.normal(0, 0.4, (12, 14, 1, 1))), g.put("fused.b", g.rng.normal(0, 0.2, 12)),
             domain="com.microsoft", activation="Relu", kernel_shape=[1, 1])
    return finish(g, g.conv("after", x, 12, 14), 14)


def functions():
    """Local functions: one a block of convolution and activation (weights are its inputs), one an elementwise activation."""
    g, x = start("local-functions", 17)
    g.domains["zoo"] = 1
    opset = [helper.make_opsetid("", 17)]
    block = helper.make_function("zoo", "Block", ["x", "w", "b"], ["y"],
                                 [helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[1, 1]), helper.make_node("Relu", ["c"], ["y"])], opset)
    swish = helper.make_function("zoo", "Swish", ["x"], ["y"],
                                 [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Mul", ["x", "s"], ["y"])], opset)
    g.functions = [block, swish]
    for name in ("first", "again"):
        w = g.put(name + ".w", g.rng.normal(0, 0.4, (12, 12, 1, 1)))
        x = g.op("Block", x, w, g.put(name + ".b", g.rng.normal(0, 0.2, 12)), domain="zoo")
    x = g.conv("plain", x, 12, 14, act=None)
    x = g.op("Swish", x, domain="zoo")
    return finish(g, g.conv("after", x, 14, 14), 14)


def features():
    """A feature map is a graph output; what it is added to goes with it."""
    g, x = start("feature-output")
    f = g.conv("feature", x, 12, 12)
    y = g.op("Add", f, g.conv("partner", x, 12, 12), name="features")
    g.output(y, [1, 12, None, None])
    return finish(g, g.conv("after", y, 12, 18), 18)


def no_way_in():
    """One convolution a head: every output channel is a box or a score."""
    g = Graph("heads-only", 13, SIDE)
    g.head("image", 3, 3)
    g.head(g.op("AveragePool", "image", kernel_shape=[2, 2], strides=[2, 2]), 3, 3)
    return g.model()


def mixed_everywhere():
    """Patches, then LayerNormalization over channels after each of two convolutions; nothing may go."""
    g = Graph("all-normalised", 17, SIDE)
    x = "image"
    for i, (cin, c, k, s) in enumerate(((3, 12, 4, 4), (12, 14, 1, 1))):
        x = g.conv(f"patch{i}", x, cin, c, k, s, act=None, pads=[0, 0, 0, 0])
        t = g.op("Transpose", x, perm=[0, 2, 3, 1])
        t = g.op("LayerNormalization", t, g.put(f"norm{i}.w", g.rng.uniform(0.5, 1.5, c)), g.put(f"norm{i}.b", g.rng.normal(0, 0.2, c)), axis=-1)
        x = g.op("Transpose", g.op("Relu", t), perm=[0, 3, 1, 2])
        g.head(x, c)
    return g.model()


def runtime_weights():
    """The only hidden convolution's weight is a graph input."""
    g = Graph("weight-input", 13, SIDE)
    g.inputs.append(helper.make_tensor_value_info("filters", TensorProto.FLOAT, [12, 3, 3, 3]))
    x = g.op("Relu", g.op("Conv", "image", "filters", pads=[1, 1, 1, 1], strides=[2, 2]))
    g.head(x, 12)
    g.head(g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 12)
    return g.model()


def fill(zoo):
    def add(build, category, has, expect="cut25", **more):
        model = build()
        zoo.add(f"{model.graph.name}-{model.opset_import[0].version}", category, has, model, expect, **more)

    add(nms, "nms-tailed", "prior decoding, Softmax, NonMaxSuppression, Gather", "cut-or-refuse", locked=["loc0.w", "conf0.w", "loc1.w", "conf1.w"])
    add(topk, "nms-tailed", "torchvision's order: Softmax, ArgMax, TopK, GatherElements, NonMaxSuppression", "cut-or-refuse",
        locked=["loc0.w", "conf0.w", "loc1.w", "conf1.w"])
    add(branch, "locked", "If whose branches capture an activation", locked=["captured.w"])
    add(loop, "locked", "Loop whose body captures an activation and a weight", "cut-or-refuse", locked=["captured.w", "outer.w"])
    add(foreign, "locked", "com.microsoft QuickGelu and FusedConv: unknown domain, so locked on both sides",
        note="right if understood, else locked: gelu.w, before.w, fused.w")
    add(functions, "locked", "model-local functions: a block with its weights as inputs, an activation", "cut-or-refuse",
        note="locked unless functions are inlined or followed")
    add(features, "locked", "a feature map is an output; the Add ties its partner to it", locked=["feature.w", "partner.w"])
    add(no_way_in, "locked", "nothing but heads", "refuse: every convolution's output is a graph output through its reshape",
        locked=["loc0.w", "loc1.w", "conf0.w", "conf1.w"])
    add(mixed_everywhere, "locked", "LayerNormalization over channels behind every hidden convolution", "refuse: LayerNormalization mixes the channels of patch0 and patch1",
        locked=["patch0.w", "patch1.w"])
    add(runtime_weights, "locked", "a weight that is a graph input", "refuse: the hidden convolution's weight is no constant; heads are locked", locked=["loc0.w", "conf0.w"])
