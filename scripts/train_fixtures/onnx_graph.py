"""A detector's ONNX graph node by node in PyTorch, and noise that tests can make too."""

import numpy
import onnx
import torch


def noise(count):
    """The generator of test/train/noise.ts: values in [-1, 1)."""
    values = numpy.empty(count)
    state = 1
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = (state - (1 << 32) if state >= 1 << 31 else state) / 2.0**31
    return values


def run(graph, tensors, picture, smooth):
    """Tensors by name after every node, and what running statistics are after the step. `smooth` leaves Relu out."""
    values = {graph.input[0].name: picture}
    statistics = {}
    for node in graph.node:
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        x = [values.get(name, tensors.get(name)) for name in node.input]
        if node.op_type == "Conv":
            top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
            padded = torch.nn.functional.pad(x[0], (left, right, top, bottom))
            bias = x[2] if len(x) > 2 else None
            y = torch.nn.functional.conv2d(padded, x[1], bias, a["strides"], 0, a["dilations"], a["group"])
        elif node.op_type == "BatchNormalization":
            mean = x[0].mean((0, 2, 3))
            variance = x[0].var((0, 2, 3), unbiased=False)
            keep = a["momentum"]
            for name, new in zip(node.input[3:], (mean, variance)):
                statistics[name] = (keep * tensors[name] + (1 - keep) * new).detach()
            shaped = [v.reshape(1, -1, 1, 1) for v in (mean, variance, x[1], x[2])]
            y = (x[0] - shaped[0]) / torch.sqrt(shaped[1] + a["epsilon"]) * shaped[2] + shaped[3]
        elif node.op_type == "Relu":
            y = x[0] if smooth else torch.relu(x[0])
        elif node.op_type == "Transpose":
            y = x[0].permute(a["perm"])
        elif node.op_type == "Reshape":
            shape = [int(n) for n in x[1]]
            y = x[0].reshape([x[0].shape[i] if n == 0 else n for i, n in enumerate(shape)])
        elif node.op_type == "Concat":
            y = torch.cat(x, a["axis"])
        else:
            raise SystemExit(f"{node.op_type} is not known here")
        values[node.output[0]] = y
    return values, statistics
