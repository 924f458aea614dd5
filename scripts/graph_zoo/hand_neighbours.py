"""Graphs by hand: operators between convolutions that hand channels on, join them, or must not."""

import numpy as np

from .builder import Graph

SIDE = 32  # 16x16 behind the stem, 8x8 behind the second convolution


def start(name, opset=13, widths=(8, 12), **more):
    g = Graph(name, opset, SIDE, **more)
    x = g.conv("stem", "image", 3, widths[0], 3, 2)
    return g, g.conv("second", x, widths[0], widths[1], 1, 2)


def finish(g, x, c):
    """Head on x, two more convolutions, head on those."""
    g.head(x, c)
    y = g.conv("tail_a", x, c, 12, 1, 2)
    y = g.conv("tail_b", y, 12, 14)
    g.head(y, 14)
    return g.model()


def l2norm():
    g, x = start("l2norm-vgg", 11)
    y = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1], ceil_mode=1)
    y = g.conv("dilated", y, 12, 10, 3, d=2)
    norm = g.op("ReduceL2", y, axes=[1], keepdims=1)
    norm = g.op("Add", norm, g.put("eps", np.float32(1e-10).reshape(1)))
    y = g.op("Mul", g.op("Div", y, norm), g.put("l2norm.scale", g.rng.uniform(5, 20, (1, 10, 1, 1))))
    return finish(g, y, 10)


def lrn():
    g, x = start("lrn")
    x = g.op("LRN", x, size=5, alpha=0.5, beta=0.75, bias=1.0)
    x = g.conv("after", x, 12, 12)
    return finish(g, x, 12)


def softmax_channels():
    g, x = start("softmax-channels")
    a = g.conv("query", x, 12, 12, act=None)
    x = g.op("Mul", x, g.op("Softmax", a, axis=1))
    x = g.conv("after", x, 12, 14)
    return finish(g, x, 14)


def cbam():
    g, x = start("cbam-spatial")
    x = g.conv("third", x, 12, 12)
    both = g.op("Concat", g.op("ReduceMean", x, axes=[1], keepdims=1), g.op("ReduceMax", x, axes=[1], keepdims=1), axis=1)
    gate = g.conv("gate", both, 2, 1, 7, act="Sigmoid")
    x = g.conv("after", g.op("Mul", x, gate), 12, 14)
    return finish(g, x, 14)


def eca():
    g, x = start("eca-conv1d")
    s = g.op("Reshape", g.op("GlobalAveragePool", x), g.ints([1, 1, 12]))
    w = g.put("eca.w", g.rng.normal(0, 0.6, (1, 1, 3)))
    s = g.op("Conv", s, w, pads=[1, 1], kernel_shape=[3])
    x = g.op("Mul", x, g.op("Sigmoid", g.op("Reshape", s, g.ints([1, 12, 1, 1]))))
    x = g.conv("after", x, 12, 14)
    return finish(g, x, 14)


def pads():
    g, x = start("pads")
    zero, one = g.put("zero", np.float32(0)), g.put("one", np.float32(1))
    y = g.op("Pad", x, g.ints([0, 0, 1, 0, 0, 0, 0, 1]), one, mode="constant")
    y = g.conv("p1", y, 12, 10, 3, pads=[0, 1, 1, 0])
    y = g.op("Pad", y, g.ints([0, 0, 2, 1, 0, 0, 1, 2]), mode="reflect")
    y = g.conv("p2", y, 10, 12, 3, 1, pads=[0, 0, 0, 0])
    y = g.op("Pad", y, g.ints([0, 0, 1, 1, 0, 0, 0, 0]), zero, mode="edge")
    y = g.conv("p3", y, 12, 12, 1, pads=[0, 0, 0, 0])
    y = g.op("Pad", y, g.ints([0, 0, -2, -2, 0, 0, -2, -2]), mode="constant")
    return finish(g, y, 12)


def pad_channels():
    """ResNet's option A: the shortcut is subsampled and padded with zero channels before and behind."""
    g, x = start("pad-channels")
    y = g.conv("a", x, 12, 10, 3)
    y = g.conv("b", y, 10, 18, 1, act=None)
    short = g.op("Pad", x, g.ints([0, 2, 0, 0, 0, 4, 0, 0]), g.put("zero", np.float32(0)), mode="constant")
    return finish(g, g.op("Relu", g.op("Add", y, short)), 18)


def broadcasts():
    """Width 8 = channels 8 behind `square`: a constant [8] there runs along the places, not along the channels."""
    g, x = start("broadcasts")
    x = g.conv("square", x, 12, 8)
    r = g.rng
    put = lambda name, shape: g.put(name, r.uniform(0.5, 1.5, shape))
    x = g.op("Mul", x, put("along_width", (8,)))
    x = g.op("Add", put("along_height", (8, 1)), x)
    x = g.op("Sub", put("channels3", (8, 1, 1)), x)
    x = g.op("Div", x, put("channels4", (1, 8, 1, 1)))
    x = g.op("Add", x, put("places", (1, 1, 8, 8)))
    x = g.op("Mul", x, put("everything", (8, 8, 8)))
    x = g.op("PRelu", x, put("slope1", (1,)))
    x = g.op("PRelu", x, put("slopes", (8, 1, 1)))
    x = g.op("Max", x, put("floor", (1, 8, 1, 1)), g.put("least", np.float32(-3)))
    x = g.op("Min", x, g.put("ceiling", np.full((1, 1, 1), 9, np.float32)))
    x = g.op("Pow", g.op("Abs", x), put("exponents", (8, 1, 1)))
    x = g.op("Where", g.op("Greater", x, put("threshold", (8, 1, 1))), x, put("instead", (1, 8, 1, 1)))
    gate = g.conv("gate", x, 8, 1, act="Sigmoid")
    x = g.op("Mul", gate, x)
    return finish(g, g.conv("wide", x, 8, 20), 20)


def itself():
    """One tensor read twice by one operator: Add(x, x), Mul(x, x), Concat(x, x), Concat(x, -x)."""
    g, x = start("itself")
    x = g.conv("a", g.op("Concat", x, x, axis=-3), 24, 10)
    x = g.op("Sub", g.op("Add", x, x), g.op("Mul", x, x))
    x = g.op("Relu", g.op("Concat", x, g.op("Neg", x), axis=1))
    x = g.conv("b", x, 20, 12)
    return finish(g, x, 12)


def joins():
    """Max, Sum of three and Mean of two convolutions; the sum's scalar input joins nothing."""
    g, x = start("joins")
    m = g.op("Max", g.conv("max_a", x, 12, 10), g.conv("max_b", x, 12, 10, 3))
    s = g.op("Sum", g.conv("sum_a", m, 10, 12), g.conv("sum_b", m, 10, 12, act=None), x, g.put("scalar", np.float32(0.5)))
    y = g.op("Mean", g.conv("mean_a", s, 12, 14, act=None), g.conv("mean_b", s, 12, 14, act="Tanh"))
    return finish(g, y, 14)


def halves():
    """A Split whose halves are added: channels i and i + 6 of one convolution go together; Max of slices likewise."""
    g, x = start("halves")
    a, b = g.op("Split", x, g.ints([6, 6]), outputs=2, axis=1)
    x = g.conv("after", g.op("Add", a, b), 6, 16)
    low = g.op("Slice", x, g.ints([0]), g.ints([8]), g.ints([1]))
    high = g.op("Slice", x, g.ints([-8]), g.ints([2**31 - 1]), g.ints([-3]), g.ints([1]))
    x = g.conv("later", g.op("Max", low, high), 8, 14)
    return finish(g, x, 14)


def three_parts():
    """Split in unequal parts, one of them unused, one locked by LRN; opset 11 holds the sizes as an attribute."""
    g, x = start("three-parts", 11, widths=(8, 18))
    a, b, unused = g.op("Split", x, outputs=3, axis=1, split=[5, 9, 4])
    x = g.op("Concat", b, g.op("LRN", a, size=3, alpha=0.5), g.op("Sigmoid", b), axis=1)
    return finish(g, g.conv("after", x, 23, 14), 14)


def permuted():
    """Gather picks channels in another order, some twice; a Slice walks backwards; heads read the result."""
    g, x = start("permuted", widths=(8, 16))
    x = g.op("Gather", x, g.ints([3, 0, 5, 5, 9, 11, 2, 14, 15, 1]), axis=1)
    x = g.conv("after", x, 10, 12)
    x = g.op("Slice", x, g.ints([11]), g.ints([-100]), g.ints([1]), g.ints([-2]))
    x = g.conv("later", x, 6, 16)
    return finish(g, x, 16)


def focus():
    """YOLO's focus on an activation: four Slices of places (ends beyond the map) laid side by side."""
    g, x = start("focus")
    x = g.conv("before", x, 12, 6)
    parts = []
    for dy in (0, 1):
        for dx in (0, 1):
            rows = g.op("Slice", x, g.ints([dy]), g.ints([2**63 - 1]), g.ints([2]), g.ints([2]))
            parts.append(g.op("Slice", rows, g.ints([dx]), g.ints([2**63 - 1]), g.ints([-1]), g.ints([2])))
    x = g.conv("after", g.op("Concat", *parts, axis=1), 24, 16)
    return finish(g, x, 16)


def group_borders():
    """Groups whose borders cut through a Concat: 8 + 16 channels in 3 groups of 8, then in 2 groups of 12; depthwise too."""
    g, x = start("group-borders", widths=(8, 16))
    both = g.op("Concat", g.conv("eight", x, 16, 8), x, axis=1)
    y = g.conv("three_groups", both, 24, 12, 3, g=3)
    z = g.conv("two_groups", both, 24, 12, 1, g=2)
    d = g.conv("depthwise", both, 24, 24, 3, g=24)
    x = g.conv("after", g.op("Concat", g.op("Add", y, z), d, axis=1), 36, 16)
    return finish(g, x, 16)


def shared_initializers():
    """Two convolutions read one weight, with a bias each; two others one bias, with a weight each; a BatchNormalization twice."""
    g, x = start("shared-initializers")
    w = g.put("shared.w", g.rng.normal(0, 0.4, (12, 12, 1, 1)))
    a, b = g.conv("left", x, 12, 12, weight=w), g.conv("right", g.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 12, 12, weight=w)
    vectors = [g.put(n, g.rng.uniform(0.5, 1.5, 12)) for n in ("scale", "shift", "mean", "var")]
    a, b = g.op("BatchNormalization", a, *vectors), g.op("BatchNormalization", b, *vectors)
    y = g.conv("read_a", a, 12, 10, act=None)
    bias = g.put("shared.b", g.rng.normal(0, 0.3, 14))
    ws = [g.put(f"own{i}.w", g.rng.normal(0, 0.4, (14, 10 if i == 0 else 12, 1, 1))) for i in range(2)]
    p = g.op("Relu", g.op("Conv", y, ws[0], bias))
    q = g.op("Relu", g.op("Conv", b, ws[1], bias))
    x = g.conv("after", g.op("Concat", p, q, axis=1), 28, 16)
    return finish(g, x, 16)


def odd_forms():
    """auto_pad, no kernel_shape, empty optional inputs, Dropout, Identity, Cast, dead branches, unread tensors, scopes with '/'."""
    g = Graph("odd-forms", 13, SIDE)
    w = lambda name, *shape: g.put(name, g.rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape))
    x = g.op("Conv", "image", w("scope/stem/weight:0", 8, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])
    x = g.op("Clip", x, "", g.put("six", np.float32(6)))
    x = g.op("Conv", x, w("scope/a/weight:0", 12, 8, 3, 3), g.put("scope/a/bias:0", g.rng.normal(0, 0.2, 12)), auto_pad="SAME_LOWER", strides=[2, 2])
    x = g.op("Dropout", g.op("Elu", x))
    x = g.op("Cast", g.op("Identity", x), to=1)
    g.conv("dead_end", x, 12, 9)
    g.put("unread", g.rng.normal(0, 1, (12, 12, 1, 1)))
    x = g.op("Conv", x, w("scope/b/weight:0", 14, 12, 1, 1), "", auto_pad="VALID")
    up = g.op("Resize", x, "", g.put("scales", np.array([1, 1, 2, 2], np.float32)), mode="linear", coordinate_transformation_mode="half_pixel")
    x = g.op("AveragePool", g.op("Erf", up), kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)
    return finish(g, x, 14)


def instance_norm():
    g, x = start("instance-norm", 10)
    y = g.conv("a", x, 12, 14, act=None)
    y = g.op("InstanceNormalization", y, g.put("scale", g.rng.uniform(0.5, 1.5, 14)), g.put("shift", g.rng.normal(0, 0.3, 14)))
    y = g.op("LeakyRelu", y, alpha=0.2)
    y = g.op("LpPool", g.conv("b", y, 14, 12), kernel_shape=[2, 2], p=2)
    y = g.op("ThresholdedRelu", y, alpha=0.1)
    return finish(g, y, 12)


def fill(zoo):
    def add(build, category, has, expect="cut25", **more):
        model = build()
        zoo.add(f"{model.graph.name}-{model.opset_import[0].version}", category, has, model, expect, **more)

    add(l2norm, "neighbours", "SSD-VGG's L2Norm (ReduceL2, Div, scale), dilation, ceil MaxPool; follows a ReLU, so a zeroed channel adds nothing to the norm")
    add(instance_norm, "neighbours", "InstanceNormalization, LeakyRelu, LpPool, ThresholdedRelu")
    add(lrn, "locked", "LRN mixes neighbouring channels", locked=["second.w"])
    add(softmax_channels, "locked", "Softmax over channels: exp(0) is 1, so a zeroed channel still counts", note="cutting `query` is right only if the Softmax edge is masked", locked=["second.w", "query.w"])
    add(cbam, "locked", "ReduceMean and ReduceMax over channels (CBAM): the mean's divisor would change", locked=["third.w"])
    add(eca, "locked", "ECA: a Conv over the channel axis made into places", locked=["second.w"])
    add(pads, "neighbours", "Pad by a constant 1, reflect, edge and negative, all of places, asymmetric")
    add(pad_channels, "concat", "Pad of channels (ResNet option A), Add: channel i of one is i + 2 of the other", "cut-or-refuse",
        note="right: b's channel i + 2 with second's channel i; or locked")
    add(broadcasts, "neighbours", "constants by every broadcast, one [8] along a width of 8 where there are 8 channels")
    add(itself, "concat", "operators that read one tensor twice")
    add(joins, "residual", "Max, Sum of three with a scalar, Mean", tied=[["max_a.w", "max_b.w"], ["second.w", "sum_a.w", "sum_b.w"], ["mean_a.w", "mean_b.w"]])
    add(halves, "shuffled", "halves of one convolution added: channels of one tensor tied to each other", "cut-or-refuse")
    add(three_parts, "concat", "Split 5, 9, 4 (attribute), the first part locked by LRN, the last unread", "cut-or-refuse",
        note="second's channels 0-4 must stay; 5-17 may go")
    add(permuted, "shuffled", "Gather of channels with repeats, Slice backwards by 2", "cut-or-refuse")
    add(focus, "shuffled", "focus: Slices of places with huge ends, Concat of one group four times")
    add(group_borders, "grouped", "groups of 8 and of 12 over a Concat of 8 and 16 channels, and depthwise", "cut-or-refuse")
    add(shared_initializers, "shared-weight", "one weight for two convolutions with their own biases, one bias for two, BatchNormalization vectors for two")
    add(odd_forms, "neighbours", "auto_pad, no kernel_shape, empty optional inputs, dead branch, unread initializer")

