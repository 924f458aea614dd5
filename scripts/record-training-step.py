"""Records what PyTorch says about training steps, for test/train/step.test.ts and test/train/three-steps.test.ts.

    python scripts/record-training-step.py gradients test/train/step.json MODEL.onnx...
    python scripts/record-training-step.py weights test/train/three-steps.json DETECTOR.onnx

`gradients`: every model is computed in float64 with BatchNormalization by the batch's statistics, on noise pictures; the loss is the
sum of outputs times noise. For each parameter the norm of its gradient and the gradient's product with noise (which
notices a permutation that the norm does not), for BatchNormalization the running statistics after the step.
Each model is recorded as it is and "smooth", with Relu left out: where a number lies within rounding of Relu's bound,
float32 and float64 take different sides, and one such place in a small map changes every gradient before it by some
thousandths. Without bounds the two agree to rounding.
`weights`: where a detector's weights are after three steps of each optimiser, see train_fixtures/three_steps.py.
Needs numpy, onnx and torch; their versions go into the file. The models come from `ssd-prune init` and `ssd-prune prune`
as the test says.
"""

import json
import os
import sys

import numpy
import onnx
import torch

from train_fixtures import three_steps
from train_fixtures.onnx_graph import noise, run

BATCH = 4


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


def gradients(models):
    recorded = {}
    for path in models:
        name = os.path.splitext(os.path.basename(path))[0]
        recorded[name] = {"plain": record(path, False), "smooth": record(path, True)}
    return {"batch": BATCH, "models": recorded}


def main():
    what, out, *models = sys.argv[1:]
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "onnx": onnx.__version__}
    result = {"made by": "scripts/record-training-step.py", "versions": versions}
    result.update(gradients(models) if what == "gradients" else three_steps.record(*models))
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


main()
