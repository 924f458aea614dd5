"""Graphs by hand: what surrounds real detectors' convolutions, and how their widths are spread."""

import numpy as np
from onnx import TensorProto, helper

from .builder import Graph
from .hand_neighbours import SIDE, finish, start


def bytes_in():
    """TensorFlow's way in: a picture of bytes, channels last, cast and scaled inside."""
    g = Graph("bytes-in", 13, SIDE)
    g.inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])]
    x = g.op("Cast", "image", to=TensorProto.FLOAT)
    x = g.op("Sub", g.op("Mul", x, g.put("scale", np.float32(1 / 127.5))), g.put("one", np.float32(1)))
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    x = g.conv("stem", x, 3, 8, 3, 2)
    return finish(g, g.conv("second", x, 8, 12, 1, 2), 12)


def float_sizes():
    """torchvision's transform: sizes that go through float division and Ceil on their way to Pad and Resize."""
    g, x = start("float-sizes")
    side = g.op("Cast", g.op("ReduceMax", g.ints([5, 7]), keepdims=0), to=TensorProto.FLOAT)
    # ceil(7 / 4) · 4 − 7 = 1 place more below and to the right; integer division would make none.
    padded = g.op("Mul", g.op("Ceil", g.op("Div", side, g.put("four", np.float32(4)))), g.put("again", np.float32(4)))
    more = g.op("Unsqueeze", g.op("Cast", g.op("Sub", padded, side), to=TensorProto.INT64), g.ints([0]))
    zero = g.ints([0])
    x = g.op("Pad", x, g.op("Concat", zero, zero, zero, zero, zero, zero, more, more, axis=0))
    x = g.conv("after", x, 12, 14)
    # 9 places become floor(9 · 1.5) = 13.
    scale = g.op("Div", g.put("three", np.float32([3])), g.put("two", np.float32([2])))
    ones = g.put("ones", np.float32([1]))
    x = g.op("Resize", x, "", g.op("Concat", ones, ones, scale, scale, axis=0), mode="nearest")
    return finish(g, g.conv("last", x, 14, 14), 14)


def small_outputs():
    """Heads far below 1, as of an untrained network: a tolerance of 1e-4 would allow anything."""
    g, x = start("small-outputs")
    x = g.op("Mul", g.conv("a", x, 12, 14), g.put("little", np.float32(1e-5)))
    for i in range(2):
        for kind, columns in (("loc", 8), ("conf", 8)):
            w = g.put(f"{kind}{i}.w", g.rng.normal(0, 0.3, (columns, 14, 1, 1)))
            y = g.rows(g.op("Conv", x, w, kernel_shape=[1, 1]), 4)
            (g.boxes if kind == "loc" else g.scores).append(y)
        x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return g.model()


def many_alike():
    """Seventy layers of one width: every step of a uniform ratio changes all of them at once."""
    g, x = start("many-alike")
    known, width = x, 12
    for i in range(70):
        y = g.conv(f"grow{i}", known, width, 2)
        known, width = g.op("Concat", known, y, axis=1), width + 2
    return finish(g, known, width)


def width_in_data():
    """An activation divided by the root of its own number of channels, and one multiplied by its size, both read by Shape."""
    g, x = start("width-in-data")
    x = g.conv("scaled", x, 12, 12)
    count = g.op("Cast", g.op("Gather", g.op("Shape", x), g.ints([1])), to=TensorProto.FLOAT)
    x = g.op("Div", x, g.op("Sqrt", count))
    x = g.conv("sized", x, 12, 10)
    size = g.op("Cast", g.op("Size", x), to=TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Log", size))
    # The number of rows is no number of channels: this locks nothing.
    x = g.conv("rows", x, 10, 14)
    rows = g.op("Cast", g.op("Gather", g.op("Shape", x), g.ints([2])), to=TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Log", rows))
    return finish(g, g.conv("after", x, 14, 14), 14)


def fill(zoo):
    def add(build, category, has, expect="cut25", **more):
        model = build()
        zoo.add(f"{model.graph.name}-{model.opset_import[0].version}", category, has, model, expect, **more)

    add(bytes_in, "neighbours", "a picture of bytes, channels last, cast and scaled inside (TensorFlow's detectors)")
    add(float_sizes, "dynamic", "sizes of Pad and Resize computed by float division and Ceil from constants (torchvision's transform)")
    add(small_outputs, "neighbours", "outputs around 1e-5: the proof must be as sharp there", locked=["loc0.w", "conf0.w"])
    add(many_alike, "concat", "seventy growing layers of two channels: a uniform ratio jumps over every target")
    add(width_in_data, "locked", "the number of channels, read by Shape or Size, scales the data", locked=["scaled.w", "sized.w"])
