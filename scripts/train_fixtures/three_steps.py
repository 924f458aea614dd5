"""Where a detector's weights are after three steps of each optimiser, for test/train/three-steps.test.ts.

The whole step in float64: the network with BatchNormalization by the batch's statistics and Relu left out (see
../record-training-step.py), Paddle's ssd_loss with matching and mining as losses.py states them, gradients limited to a
norm, decay by group and a rate of its own for the backbone. The optimisers are PyTorch's, but for RMSProp: Paddle's
epsilon stands inside the root, PyTorch's outside; and for Muon's matrices, which PyTorch makes orthogonal in bfloat16.
Kept of each parameter: the norm of what it moved by, and the product
of that with noise, which notices a permutation that the norm does not.
"""

import json

import numpy
import onnx
import torch

from . import losses
from .onnx_graph import noise, run

BATCH, STEPS = 4, 3
# Label and corners of each object, picture by picture; the same at every step, on other noise.
OBJECTS = [
    [[1, 0.10, 0.15, 0.45, 0.60], [3, 0.50, 0.40, 0.95, 0.90]],
    [[2, 0.20, 0.20, 0.80, 0.85]],
    [[4, 0.05, 0.05, 0.30, 0.25], [1, 0.55, 0.10, 0.90, 0.50], [2, 0.30, 0.55, 0.80, 0.95]],
    [[3, 0.25, 0.10, 0.65, 0.95]],
]
# Multiplies the rate of each step.
WARM_UP = [0.5, 1.0, 1.0]
GROUPS = {"weightDecay": 0.02, "otherDecay": 0.005, "backboneRate": 0.5}
# In the terms of lib/train/optimizer.ts. AdamW's epsilon is large: where a gradient is 0 but for rounding, as that of a
# shift which the next normalisation takes away, a small one would make whole steps of the rounding.
CASES = {
    "momentum": {"rate": 0.02, "rule": "sgd", "momentum": 0.9},
    "clipped": {"rate": 0.02, "rule": "sgd", "momentum": 0.9, "maxNorm": 1.0},
    "nesterov": {"rate": 0.02, "rule": "sgd", "momentum": 0.9, "nesterov": True, "maxNorm": 2.0},
    "rmsprop": {"rate": 0.001, "rule": "rmsprop", "rho": 0.95, "epsilon": 1e-6, "momentum": 0.9, "maxNorm": 1.0},
    "adamw": {"rate": 0.002, "rule": "adamw", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3, "maxNorm": 1.0},
    "muon": {
        **{"rate": 0.002, "rule": "muon", "momentum": 0.9, "maxNorm": 1.0},
        **{"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3},
    },
}
# Losses at the border of what is mined are further apart than this share: float32 mines the same priors.
LEAST_GAP = 1e-5


class PaddleRmsProp(torch.optim.Optimizer):
    """g += decay·w; r = rho·r + (1 - rho)·g²; v = momentum·v + lr·g / sqrt(r + epsilon); w -= v."""

    def __init__(self, groups, rho, epsilon, momentum):
        super().__init__(groups, dict(rho=rho, epsilon=epsilon, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                g = w.grad + group["weight_decay"] * w
                state["r"] = group["rho"] * state.get("r", 0.0) + (1 - group["rho"]) * g * g
                moved = group["lr"] * g / torch.sqrt(state["r"] + group["epsilon"])
                state["v"] = group["momentum"] * state.get("v", 0.0) + moved
                w -= state["v"]


class Muon:
    """torch.optim.Muon with Nesterov momentum and match_rms_adamw in float64; AdamW for what is no matrix."""

    def __init__(self, groups, momentum, adamw):
        self.momentum, self.means = momentum, {}
        is_matrix = lambda shape: len(shape) == 4 and tuple(shape[2:]) == (1, 1) and min(shape[:2]) >= 8
        self.matrices = [group for group in groups if is_matrix(group["params"][0].shape)]
        self.adamw = torch.optim.AdamW([group for group in groups if not is_matrix(group["params"][0].shape)], **adamw)
        self.param_groups = self.matrices + self.adamw.param_groups

    def zero_grad(self):
        for group in self.param_groups:
            group["params"][0].grad = None

    @staticmethod
    def orthogonal(g):
        x = g / (g.norm() + 1e-7)
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        return x

    @torch.no_grad()
    def step(self):
        self.adamw.step()
        for i, group in enumerate(self.matrices):
            [w] = group["params"]
            g = w.grad.flatten(1)
            mean = self.means.setdefault(i, torch.zeros_like(g)).lerp_(g, 1 - self.momentum)
            direction = self.orthogonal(g.lerp(mean, self.momentum)).reshape(w.shape)
            length = 0.2 * max(w.shape) ** 0.5
            w.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"] * length)


def make_optimizer(case, groups):
    if case["rule"] == "sgd":
        return torch.optim.SGD(groups, momentum=case["momentum"], nesterov=case.get("nesterov", False))
    if case["rule"] == "rmsprop":
        return PaddleRmsProp(groups, case["rho"], case["epsilon"], case["momentum"])
    if case["rule"] == "muon":
        adamw = {"betas": (case["beta1"], case["beta2"]), "eps": case["epsilon"]}
        return Muon(groups, case["momentum"], adamw)
    return torch.optim.AdamW(groups, betas=(case["beta1"], case["beta2"]), eps=case["epsilon"])


def head_parameters(graph):
    """Names of the filters and biases whose maps are turned into an output's rows."""
    turned = {name for node in graph.node if node.op_type == "Transpose" for name in node.input}
    return {name for node in graph.node if node.op_type == "Conv" and node.output[0] in turned for name in node.input[1:]}


def group_parameters(graph, tensors):
    """PyTorch's groups: one a parameter, with its decay and the factor of its rate."""
    heads = head_parameters(graph)
    filters = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    groups = []
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or name in statistics:
            continue
        decay = GROUPS["weightDecay"] if name in filters else GROUPS["otherDecay"]
        factor = GROUPS["backboneRate"] if name in filters and name not in heads else 1.0
        tensor.requires_grad_()
        groups.append({"params": [tensor], "lr": 0.0, "weight_decay": decay, "factor": factor})
    return groups


def match_all(priors):
    """Of each prior of each picture its label (0: none) and the offsets that it is to give."""
    labels = numpy.zeros((BATCH, len(priors)), numpy.int64)
    targets = numpy.zeros((BATCH, len(priors), 4))
    matched = []
    for i, objects in enumerate(OBJECTS):
        truth = numpy.array([box for _, *box in objects], numpy.float32)
        matched.append(losses.match(truth, priors))
        for p, t in enumerate(matched[i]):
            if t >= 0:
                labels[i, p] = objects[t][0]
                targets[i, p] = losses.encode(truth[t], priors[p])
    return matched, torch.tensor(labels), torch.tensor(targets)


def mine_all(matched, scores):
    chosen = numpy.zeros(scores.shape[:2], bool)
    background = (torch.logsumexp(scores, -1) - scores[..., 0]).detach().numpy()
    for i, own in enumerate(matched):
        mined = losses.mine(own, background[i])
        chosen[i, mined] = True
        left = [background[i, p] for p, t in enumerate(own) if t < 0 and not chosen[i, p]]
        least = background[i, mined[-1]]
        if least - max(left) < LEAST_GAP * least:
            raise SystemExit(f"picture {i}: two priors at the border of what is mined are too close; move the objects")
    return torch.tensor(chosen)


def ssd_loss(scores, offsets, matched, labels, targets):
    positive = labels > 0
    mined = mine_all(matched, scores)
    count = positive.sum()
    classes = losses.class_terms("softmax", scores, labels, positive | mined, {}) / count
    boxes = (torch.nn.functional.smooth_l1_loss(offsets, targets, reduction="none").sum(-1) * positive).sum() / count
    return classes, boxes, int(count), int(mined.sum())


def take_steps(model, detector, matches, pictures, case):
    graph = model.graph
    tensors = {}
    for t in graph.initializer:
        value = torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
        tensors[t.name] = value.double() if value.is_floating_point() else value
    start = {name: tensor.clone() for name, tensor in tensors.items()}
    groups = group_parameters(graph, tensors)
    optimizer = make_optimizer(case, groups)
    parameters = [tensor for group in groups for tensor in group["params"]]
    steps, statistics = [], {}
    for picture, warm_up in zip(pictures, WARM_UP):
        values, statistics = run(graph, tensors, picture, True)
        outputs = [values[detector["outputs"][name]] for name in ("scores", "boxes")]
        classes, boxes, positives, negatives = ssd_loss(*outputs, *matches)
        optimizer.zero_grad()
        (classes + boxes).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, case.get("maxNorm", float("inf")))
        for group in optimizer.param_groups:
            group["lr"] = case["rate"] * warm_up * group["factor"]
        optimizer.step()
        tensors.update(statistics)
        loss = {"classes": classes.item(), "boxes": boxes.item()}
        steps.append({**loss, "positives": positives, "negatives": negatives, "gradientNorm": norm.item()})
    moved = {}
    for name, tensor in tensors.items():
        if tensor.requires_grad or name in statistics:
            change = (tensor - start[name]).detach()
            moved[name] = [change.norm().item(), (change.flatten() * torch.from_numpy(noise(change.numel()))).sum().item()]
    return {"settings": case, "steps": steps, "moved": moved}


def record(path):
    model = onnx.load(path)
    [detector] = [json.loads(entry.value) for entry in model.metadata_props if entry.key == "ssd-prune.detector"]
    matches = match_all(numpy.array(detector["priors"], numpy.float32))
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    pictures = torch.from_numpy(noise(STEPS * BATCH * int(numpy.prod(dims)))).reshape(STEPS, BATCH, *dims)
    pictures = pictures.float().double()  # what the engine gets
    cases = {name: take_steps(model, detector, matches, pictures, case) for name, case in CASES.items()}
    return {"batch": BATCH, "objects": OBJECTS, "warmUp": WARM_UP, "groups": GROUPS, "cases": cases}
