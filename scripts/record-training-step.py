"""Records what PyTorch says about one training step, for test/train/step.test.ts.

    python scripts/record-training-step.py test/train/step.json MODEL.onnx...

Every model is computed in float64 with BatchNormalization by the batch's statistics, on noise pictures; the loss is the
sum of outputs times noise. For each parameter the norm of its gradient and the gradient's product with noise (which
notices a permutation that the norm does not), for BatchNormalization the running statistics after the step.
Each model is recorded as it is and "smooth", with Relu left out: where a number lies within rounding of Relu's bound,
float32 and float64 take different sides, and one such place in a small map changes every gradient before it by some
thousandths. Without bounds the two agree to rounding.
Needs numpy, onnx and torch; their versions go into the file. The models come from `ssd-prune init` and `ssd-prune prune`
as the test says.
"""

import json
import os
import sys

import numpy
import onnx
import torch

BATCH = 4


def noise(count):
    """The generator of test/train/noise.ts: values in [-1, 1)."""
    values = numpy.empty(count)
    state = 1
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = (state - (1 << 32) if state >= 1 << 31 else state) / 2.0**31
    return values


def run(graph, tensors, picture, smooth):
    """Tensors by name after every node; running statistics are updated in `tensors`."""
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


def record(path, smooth):
    graph = onnx.load(path).graph
    tensors = {}
    for t in graph.initializer:
        value = torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
        tensors[t.name] = value.double().requires_grad_() if value.is_floating_point() else value
    dims = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim][1:]
    picture = torch.from_numpy(noise(BATCH * int(numpy.prod(dims)))).reshape(BATCH, *dims)
    picture = picture.float().double()  # what the engine gets
    values, statistics = run(graph, tensors, picture, smooth)
    loss = 0
    outputs = {}
    for output in graph.output:
        value = values[output.name]
        weights = torch.from_numpy(noise(value.numel())).float().double().reshape(value.shape)
        loss = loss + (value * weights).sum()
        outputs[output.name] = [float(value.detach().norm()), float((value.detach() * weights).sum())]
    loss.backward()
    gradients = {}
    for name, tensor in tensors.items():
        if not tensor.requires_grad or name in statistics:
            continue
        weights = torch.from_numpy(noise(tensor.numel())).reshape(tensor.shape)
        gradients[name] = [float(tensor.grad.norm()), float((tensor.grad * weights).sum())]
    norms = {name: float(value.norm()) for name, value in statistics.items()}
    total = sum(float(t.detach().abs().sum()) for t in tensors.values() if t.requires_grad)
    return {"weights": total, "outputs": outputs, "gradients": gradients, "statistics": norms}


def main():
    out, *models = sys.argv[1:]
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "onnx": onnx.__version__}
    result = {"made by": "scripts/record-training-step.py", "versions": versions, "batch": BATCH, "models": {}}
    for path in models:
        name = os.path.splitext(os.path.basename(path))[0]
        result["models"][name] = {"plain": record(path, False), "smooth": record(path, True)}
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main()
