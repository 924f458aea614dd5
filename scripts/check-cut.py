#!/usr/bin/env python3
"""Proves a cut from its report alone, without any code of the pruner.

    python scripts/check-cut.py ORIGINAL.onnx PRUNED.onnx REPORT.json [--images 3]

Needs numpy, onnx and onnxruntime. The masked original is the original with every slice that the report says is gone
(`layers` and `tied`: producers, followers and the input slices of readers) overwritten by zeros, or by the zero point
where the tensor is quantised; shapes stay. It must agree with the pruned model on seeded noise:
max|a - b| <= 1e-4 * max(1, max|b|), on what stands before Softmax, Sigmoid, NonMaxSuppression, TopK and their like;
float16 models are raised to float32 first, quantised ones may differ by one step of the output. It must also differ
from the unmasked original by 100 times that, else the proof is vacuous.

Besides, every tensor of the pruned model must be the named slices of the original's, bit for bit, and tensors that
the report doesn't name must be unchanged (integers excepted: shapes are rewritten by a cut).

Exit code 0: proved; 1: wrong, with the reasons; 2: vacuous.
"""

import argparse
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

DISCRETE = {"NonMaxSuppression", "TopK", "ArgMax", "ArgMin", "NonZero", "RoiAlign"}
SQUASHING = {"Softmax", "LogSoftmax", "Sigmoid"}
CARRYING = {"Identity", "Cast", "Transpose", "Reshape", "Concat", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Split"}
LOW = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
# inputs of quantised operators that hold a scale or a zero point: {operator: indexes}
SCALES = {"DequantizeLinear": (1, 2), "QuantizeLinear": (1, 2), "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
          "ConvInteger": (2, 3), "MatMulInteger": (2, 3)}
# quantised weight and zero point: {operator: (weight, zero point)}
ZERO_POINTS = {"DequantizeLinear": (0, 2), "QLinearConv": (3, 5), "QLinearMatMul": (3, 5), "ConvInteger": (1, 3), "MatMulInteger": (1, 3)}


class Tensors:
    """Constant tensors of a model by parameter name: initializers, and Constant nodes by their output."""

    def __init__(self, model):
        self.model = model
        self.slots = {}
        for t in model.graph.initializer:
            self.slots[t.name] = t
        for node in model.graph.node:
            if node.op_type == "Constant":
                for a in node.attribute:
                    if a.name == "value":
                        self.slots[node.output[0]] = a.t

    def get(self, name):
        return numpy_helper.to_array(self.slots[name])

    def put(self, name, values):
        slot = self.slots[name]
        inner = slot.name
        slot.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), inner))


def raised(model):
    """float16 and bfloat16 to float32, in a copy."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    tensors = Tensors(made)
    low = [n for n, slot in tensors.slots.items() if slot.data_type in LOW]
    if not low:
        return made
    for name in low:
        tensors.put(name, tensors.get(name).astype(np.float32))
    for node in made.graph.node:
        for a in node.attribute:
            if node.op_type == "Cast" and a.name == "to" and a.i in LOW:
                a.i = TensorProto.FLOAT
    for value in [*made.graph.input, *made.graph.output]:
        if value.type.tensor_type.elem_type in LOW:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del made.graph.value_info[:]
    return made


def convolution_axis(model, name):
    """The output axis of a selected weight: 1 for ConvTranspose, else 0."""
    made = {o: n for n in model.graph.node for o in n.output}
    for node in model.graph.node:
        if node.op_type == "ConvTranspose":
            source = node.input[1]
            while source in made and made[source].op_type in ("Identity", "DequantizeLinear"):
                source = made[source].input[0]
            if source == name:
                return 1
    return 0


def removals(report, original, problems):
    """{name: {axis: set of removed indexes}} and the list of (name, axis, kept) as reported."""
    before = Tensors(original)
    told = [(e["name"], e.get("axis", convolution_axis(original, e["name"])), e) for e in report["layers"]]
    told += [(e["name"], e["axis"], e) for e in report["tied"]]
    gone, slices = {}, []
    for name, axis, entry in told:
        if name not in before.slots:
            problems.append(f"{name}: in the report, not in the original")
            continue
        shape = list(before.get(name).shape)
        if list(entry["shapeBefore"]) != shape:
            problems.append(f"{name}: shapeBefore {entry['shapeBefore']}, is {shape}")
        if "kept" not in entry:
            problems.append(f"{name}: the report doesn't say what is kept on axis {axis}")
            continue
        kept = list(entry["kept"])
        axis %= len(shape)
        if kept != sorted(set(kept)) or not kept or kept[0] < 0 or kept[-1] >= shape[axis]:
            problems.append(f"{name}: kept isn't a sorted list of different indexes below {shape[axis]}")
            continue
        if len(kept) != entry["shapeAfter"][axis]:
            problems.append(f"{name}: {len(kept)} kept, shapeAfter {entry['shapeAfter']}")
        removed = set(range(shape[axis])) - set(kept)
        axes = gone.setdefault(name, {})
        # A tensor read in two places may have been cloned and cut twice: only what is gone from both may be zeroed.
        axes[axis] = axes[axis] & removed if axis in axes else removed
        slices.append((name, axis, kept))
    return gone, slices


def mask(original, gone):
    made = onnx.ModelProto()
    made.CopyFrom(original)
    tensors = Tensors(made)
    nodes = {o: n for n in made.graph.node for o in n.output}

    def source(name):
        while name in nodes and nodes[name].op_type == "Identity":
            name = nodes[name].input[0]
        return name

    spared, points = set(), {}
    for node in made.graph.node:
        for i in SCALES.get(node.op_type, ()):
            if i < len(node.input):
                spared.add(source(node.input[i]))
        if node.op_type in ZERO_POINTS:
            w, z = ZERO_POINTS[node.op_type]
            if z < len(node.input) and node.input[z]:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0 if "Conv" in node.op_type else 1)
                points[source(node.input[w])] = (source(node.input[z]), axis)
    for name, axes in gone.items():
        values = tensors.get(name).copy()
        if name in spared or (np.issubdtype(values.dtype, np.integer) and values.dtype == np.int64):
            continue  # scales of quantisation stay: it is the weights that become zero; shapes aren't weights
        fill = np.zeros_like(values)
        if name in points and points[name][0] in tensors.slots:
            point, axis = tensors.get(points[name][0]), points[name][1]
            fill += point.reshape([-1 if i == axis else 1 for i in range(values.ndim)]) if point.ndim else point
        for axis, removed in axes.items():
            at = [slice(None)] * values.ndim
            at[axis] = sorted(removed)
            values[tuple(at)] = fill[tuple(at)]
        tensors.put(name, values)
    return made


def compare_points(model):
    """Tensors to compare: outputs, or what stands before squashing or discrete operators on the way to them."""
    made = {o: n for n in model.graph.node for o in n.output}
    touched = {}  # tensor -> depends on a discrete operator

    def discrete(name):
        stack = [name]
        while stack:
            top = stack[-1]
            node = made.get(top)
            if top in touched or node is None:
                touched.setdefault(top, False)
                stack.pop()
                continue
            waiting = [i for i in node.input if i and i not in touched]
            if waiting:
                stack.extend(waiting)
                continue
            touched[top] = node.op_type in DISCRETE or any(touched[i] for i in node.input if i)
            stack.pop()
        return touched[name]

    points = []

    def walk(name, seen):
        if name in seen or name not in made:
            return
        seen.add(name)
        node = made[name]
        if discrete(name):
            for i in node.input:
                if not i or i not in made or made[i].op_type == "Constant":
                    continue
                if discrete(i):
                    walk(i, seen)
                elif node.op_type in DISCRETE:
                    points.append(before_squashing(i))
        else:
            points.append(before_squashing(name))

    def before_squashing(name):
        at = name
        while at in made and made[at].op_type in CARRYING | SQUASHING:
            if made[at].op_type in SQUASHING:
                return made[at].input[0]
            at = made[at].input[0]
        return name

    seen = set()
    for output in model.graph.output:
        walk(output.name, seen)
    return list(dict.fromkeys(points))


def run(model, points, feed):
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.output[:]
    made.graph.output.extend(helper.make_empty_tensor_value_info(p) for p in points)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(v, np.float64) for v in session.run(None, feed)]


def pictures(model, seed):
    rng = np.random.default_rng(seed)
    known = {i.name for i in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        if value.name in known:
            continue
        t = value.type.tensor_type
        shape = [d.dim_value or (1 if i == 0 else 64) for i, d in enumerate(t.shape.dim)]
        kind = helper.tensor_dtype_to_np_dtype(t.elem_type)
        feed[value.name] = (rng.integers(0, 256, shape) if np.issubdtype(kind, np.integer) else rng.standard_normal(shape)).astype(kind)
    return feed


def output_step(model):
    """The coarsest scale with which a quantised model writes an output, else None."""
    tensors = Tensors(model)
    steps = []
    for node in model.graph.node:
        i = {"DequantizeLinear": 1, "QLinearConv": 6, "QLinearAdd": 6, "QLinearMatMul": 6}.get(node.op_type)
        if i is not None and node.input[i] in tensors.slots and tensors.get(node.input[i]).ndim == 0:
            steps.append(float(tensors.get(node.input[i])))
    if any("Integer" in n.op_type or n.op_type == "DynamicQuantizeLinear" for n in model.graph.node):
        steps.append(1e-2)
    return max(steps) if steps else None


def check_slices(original, pruned, slices, problems):
    before, after = Tensors(original), Tensors(pruned)
    cuts = {}
    for name, axis, kept in slices:
        cuts.setdefault(name, []).append((axis, kept))
    for name, slot in before.slots.items():
        if name not in after.slots:
            if name in cuts:
                problems.append(f"{name}: cut, but not in the pruned model by this name")
            continue
        old, new = before.get(name), after.get(name)
        if name not in cuts:
            if not (np.issubdtype(old.dtype, np.integer) and old.ndim <= 1) and (old.shape != new.shape or old.tobytes() != new.tobytes()):
                problems.append(f"{name}: changed from {old.shape} to {new.shape}, the report doesn't name it")
            continue
        for axis, kept in cuts[name]:
            if old.shape[axis] > max(kept):
                old = np.take(old, kept, axis)
        if old.shape != new.shape or np.ascontiguousarray(old).tobytes() != new.tobytes():
            problems.append(f"{name}: the pruned tensor {new.shape} isn't the reported slices {old.shape} of the original")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original")
    parser.add_argument("pruned")
    parser.add_argument("report")
    parser.add_argument("--images", type=int, default=3)
    args = parser.parse_args()
    original, pruned = onnx.load(args.original), onnx.load(args.pruned)
    report = json.load(open(args.report))
    problems = []
    onnx.checker.check_model(pruned)
    gone, slices = removals(report, original, problems)
    if not slices:
        problems.append("the report names nothing that was cut")
    check_slices(original, pruned, slices, problems)

    original, pruned = raised(original), raised(pruned)
    masked = mask(original, gone)
    points = compare_points(original)
    there = {o for n in pruned.graph.node for o in n.output}
    lost = [p for p in points if p not in there]
    if lost:
        problems.append(f"tensors to compare are missing in the pruned model: {', '.join(lost)}")
        points = [p for p in points if p in there]
    step, worst, vacuous = output_step(original), 0.0, True
    for seed in range(args.images):
        feed = pictures(original, seed)
        plain, want, got = (run(m, points, feed) for m in (original, masked, pruned))
        for point, p, b, a in zip(points, plain, want, got):
            if a.shape != b.shape:
                problems.append(f"{point}: shape {a.shape}, was {b.shape}")
                continue
            size = max(1.0, float(np.abs(b).max(initial=0)))
            tolerance = max(1e-4 * size, step or 0.0)
            difference = float(np.abs(a - b).max(initial=0))
            worst = max(worst, difference)
            if not difference <= tolerance:
                problems.append(f"{point}: picture {seed}: differs by {difference:.3g}, allowed {tolerance:.3g}")
            if float(np.abs(p - b).max(initial=0)) >= 100 * 1e-4 * size:
                vacuous = False
    print(json.dumps({"compared": points, "maxAbsDiff": worst, "images": args.images, "vacuous": vacuous, "problems": problems}, indent=1))
    sys.exit(1 if problems else 2 if vacuous else 0)


if __name__ == "__main__":
    main()
