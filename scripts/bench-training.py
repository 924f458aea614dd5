"""PyTorch's side of scripts/bench-training.js: one forward and backward pass a line on standard input, its milliseconds on
standard output; at the end its peak resident memory in KiB. Runs an ONNX model of Conv, BatchNormalization, Relu, Clip
and heads in channels_last."""

import resource
import sys
import time

import numpy
import onnx
import torch
import torch.nn.functional as F

path, batch, threads, precision = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
clock = time.process_time if sys.argv[5] == "cpu" else time.perf_counter
torch.set_num_threads(threads)
graph = onnx.load(path).graph
tensors = {}
for t in graph.initializer:
    value = torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
    if value.dim() == 4:
        value = value.to(memory_format=torch.channels_last)
    tensors[t.name] = value
statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
trained = [t for name, t in tensors.items() if t.is_floating_point() and name not in statistics]
for t in trained:
    t.requires_grad_()
attributes = [{x.name: onnx.helper.get_attribute_value(x) for x in node.attribute} for node in graph.node]
dims = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim][1:]
picture = torch.rand(batch, *dims).to(memory_format=torch.channels_last)


def forward():
    values = {graph.input[0].name: picture}
    for node, a in zip(graph.node, attributes):
        x = [values.get(name, tensors.get(name)) for name in node.input]
        if node.op_type == "Conv":
            top, left, bottom, right = a["pads"]
            bias = x[2] if len(x) > 2 else None
            if (top, left) != (bottom, right):
                x[0], top, left = F.pad(x[0], (left, right, top, bottom)), 0, 0
            y = F.conv2d(x[0], x[1], bias, a["strides"], (top, left), a["dilations"], a["group"])
        elif node.op_type == "BatchNormalization":
            y = F.batch_norm(x[0], x[3], x[4], x[1], x[2], True, 1 - a["momentum"], a["epsilon"])
        elif node.op_type == "Relu":
            y = F.relu(x[0], inplace=True)
        elif node.op_type == "Clip":
            y = F.hardtanh(x[0], float(x[1]), float(x[2]), inplace=True)
        elif node.op_type == "Transpose":
            y = x[0].permute(a["perm"])
        elif node.op_type == "Reshape":
            y = x[0].reshape([x[0].shape[i] if n == 0 else n for i, n in enumerate(int(n) for n in x[1])])
        elif node.op_type == "Concat":
            y = torch.cat(x, a["axis"])
        elif node.op_type == "Softmax":
            y = x[0]
        else:
            raise SystemExit(f"{node.op_type} is not known here")
        values[node.output[0]] = y
    return [values[output.name] for output in graph.output]


def step():
    for t in trained:
        t.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        outputs = forward()
    torch.autograd.backward(outputs, [torch.full_like(output, 1e-3) for output in outputs])


step()
print(torch.__version__, flush=True)
for _ in sys.stdin:
    start = clock()
    step()
    print((clock() - start) * 1e3, flush=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
