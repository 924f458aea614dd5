"""What every graph of the zoo shares: seeded weights, the detector around a backbone, export, records.

A record is one line of test/graphs/zoo.json; its fields are described in test/graphs/README.md.
"""

import json
import logging
import pathlib
import warnings
import zlib

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
ort.set_default_logger_severity(3)

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "graphs"
CLASSES = 4  # background included
PRIORS = 2  # a cell and level
SIZE = 64  # pixels a side of the input


def rng_of(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def filters(rng, shape, fan_in=None):
    """Filters whose norms differ by channel, so that a ranking means something."""
    fan_in = fan_in or int(np.prod(shape[1:]))
    scale = rng.uniform(0.4, 1.6, (shape[0],) + (1,) * (len(shape) - 1))
    return (rng.standard_normal(shape) * scale * np.sqrt(2.0 / fan_in)).astype(np.float32)


def seed_weights(model, name):
    """Overwrites every parameter and statistic of a torch model; nothing is left at 0 or 1."""
    rng = rng_of(name)

    def put(tensor, values):
        tensor.data.copy_(torch.from_numpy(np.asarray(values, np.float32)))

    done = set()
    for module in model.modules():
        for key, p in list(module.named_parameters(recurse=False)):
            if id(p) in done:
                continue
            done.add(id(p))
            shape = tuple(p.shape)
            if isinstance(module, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)) and p.dim() > 1:
                fan = shape[0] * shape[2] * shape[3] // 4 if isinstance(module, nn.ConvTranspose2d) else None
                put(p, filters(rng, shape, fan))
            elif isinstance(module, nn.PReLU):
                put(p, rng.uniform(0.05, 0.5, shape))
            elif key == "bias" or key.endswith("bias"):
                put(p, rng.normal(0, 0.2, shape))
            elif p.dim() > 1 and min(shape) > 1:
                put(p, filters(rng, shape))
            else:
                put(p, rng.uniform(0.5, 1.5, shape))
        if isinstance(module, nn.BatchNorm2d):
            put(module.running_mean, rng.normal(0, 0.3, module.num_features))
            put(module.running_var, rng.uniform(0.5, 1.5, module.num_features))


class ConvBn(nn.Sequential):
    def __init__(self, cin, cout, k=1, s=1, g=1, d=1, act=nn.ReLU):
        layers = [nn.Conv2d(cin, cout, k, s, d * (k // 2), groups=g, dilation=d, bias=False), nn.BatchNorm2d(cout)]
        super().__init__(*layers, *([act()] if act else []))


class Ssd(nn.Module):
    """Backbone that returns feature maps, then a loc and a conf convolution a map: (N,P,4) and (N,P,CLASSES)."""

    def __init__(self, body, widths, k=1, softmax=False, dynamic_view=False):
        super().__init__()
        self.body = body
        self.loc = nn.ModuleList(nn.Conv2d(w, PRIORS * 4, k, padding=k // 2) for w in widths)
        self.conf = nn.ModuleList(nn.Conv2d(w, PRIORS * CLASSES, k, padding=k // 2) for w in widths)
        self.softmax, self.dynamic_view = softmax, dynamic_view

    def rows(self, y, columns):
        y = y.permute(0, 2, 3, 1)
        return y.reshape(y.size(0), -1, columns) if self.dynamic_view else y.reshape(1, -1, columns)

    def forward(self, x):
        maps = self.body(x)
        boxes = torch.cat([self.rows(head(m), 4) for head, m in zip(self.loc, maps)], 1)
        scores = torch.cat([self.rows(head(m), CLASSES) for head, m in zip(self.conf, maps)], 1)
        return boxes, (scores.softmax(2) if self.softmax else scores)


def convolution_order(model, inputs):
    """Module paths of the convolutions in the order of their calls, a shared one as often as it is called."""
    order, hooks = [], []
    for path, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            hooks.append(module.register_forward_hook(lambda m, i, o, path=path: order.append((path, tuple(m.weight.shape)))))
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return order


def producers(model):
    return {o: n for n in model.graph.node for o in n.output}


def weight_name(name, made):
    """The name by which `params` lists a weight: behind Identity and DequantizeLinear, its own."""
    while name in made and made[name].op_type in ("Identity", "DequantizeLinear", "Cast"):
        name = made[name].input[0]
    return name


def convolution_weights(model):
    made = producers(model)
    return [weight_name(n.input[1], made) for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]


def resolve(model, order, paths):
    """Module paths -> parameter names in the ONNX file, checked by shape where the name is an initializer."""
    names = convolution_weights(model)
    assert len(names) == len(order), (len(names), len(order))
    shapes = {i.name: tuple(i.dims) for i in model.graph.initializer}
    table = {}
    for (path, shape), name in zip(order, names):
        assert name not in shapes or shapes[name] == shape, (path, shape, name, shapes[name])
        table.setdefault(path, name)
    return [table[p] for p in paths]


def tidy(model, keep_metadata=False, keep_shapes=True):
    """Drops exporters' stack traces (they hold paths of this machine) and, for size, other metadata and value_info."""
    scopes = [model.graph.node, *[f.node for f in model.functions]]
    for nodes in scopes:
        for node in nodes:
            node.doc_string = ""
            kept = [p for p in node.metadata_props if keep_metadata and p.key == "namespace"]
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
    if not keep_metadata:
        for v in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
            del v.metadata_props[:]
        del model.graph.metadata_props[:]
    if not keep_shapes:
        del model.graph.value_info[:]
    return model


def export(model, opset, dynamo, inputs=None, dynamic=None, training=None, keep_metadata=False, keep_shapes=False, **more):
    inputs = inputs or (torch.zeros(1, 3, SIZE, SIZE),)
    file = FOLDER / "_export.onnx"
    names = dict(input_names=["image"], output_names=["boxes", "scores"])
    model.eval()
    try:
        if dynamo:
            if dynamic:
                more["dynamic_shapes"] = (dynamic,)
            torch.onnx.export(model, inputs, str(file), dynamo=True, opset_version=opset, external_data=False,
                              verbose=False, **names, **more)
        else:
            if dynamic:
                more["dynamic_axes"] = {"image": dynamic, "boxes": {0: "n"}, "scores": {0: "n"}}
            if training is not None:
                more["training"] = training
            torch.onnx.export(model, inputs, str(file), dynamo=False, opset_version=opset, **names, **more)
        return tidy(onnx.load(str(file)), keep_metadata, keep_shapes or keep_metadata)
    finally:
        file.unlink(missing_ok=True)


class Zoo:
    def __init__(self, only=None):
        self.records, self.only = [], only

    def wants(self, name):
        return not self.only or any(o in name for o in self.only)

    def torch(self, name, category, has, build, exporters, expect="cut25", tied=(), locked=(), seed=None, **more):
        """Exports one network by several (exporter, opset); `tied`/`locked` hold module paths."""
        for dynamo, opset in exporters:
            full = f"{name}-{'dynamo' if dynamo else 'legacy'}-{opset}"
            if not self.wants(full):
                continue
            net = build().eval()
            seed_weights(net, seed or name)
            inputs = more.get("inputs") or (torch.zeros(1, 3, SIZE, SIZE),)
            order = convolution_order(net, inputs)
            try:
                model = export(net, opset, dynamo, **more)
            except Exception as error:
                raise RuntimeError(f"{full}: export failed: {error}") from error
            self.add(full, category, has, model, expect,
                     tied=[resolve(model, order, group) for group in tied], locked=resolve(model, order, locked),
                     exporter=f"torch.onnx.export dynamo={dynamo}")

    def add(self, name, category, has, model, expect="cut25", tied=(), locked=(), exporter="onnx.helper", align=1, note=None):
        if not self.wants(name):
            return
        onnx.checker.check_model(model, full_check=not any(o.domain not in ("", "ai.onnx") for o in model.opset_import))
        inputs = noise(model, 0)
        outputs = run(model, inputs)
        for value in outputs:
            assert np.isfinite(value.astype(np.float32)).all(), name
        data = model.SerializeToString()
        (FOLDER / f"{name}.onnx").write_bytes(data)
        opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        record = {"file": f"{name}.onnx", "category": category, "has": has, "expect": expect, "align": align,
                  "inputs": [{"name": k, "shape": list(v.shape), "type": str(v.dtype)} for k, v in inputs.items()],
                  "tied": [list(dict.fromkeys(t)) for t in tied], "locked": list(dict.fromkeys(locked)),
                  "exporter": exporter, "opset": opset}
        if note:
            record["note"] = note
        self.records.append(record)
        scale = [float(np.abs(v.astype(np.float32)).max()) if v.size else 0.0 for v in outputs]
        print(f"{len(data) / 1024:6.1f} KB  {expect[:14]:14s} {name}  max|out| {', '.join(f'{s:.3g}' for s in scale)}", flush=True)

    def write(self):
        file = FOLDER / "zoo.json"
        old = {r["file"]: r for r in json.loads(file.read_text())["graphs"]} if self.only and file.exists() else {}
        old.update({r["file"]: r for r in self.records})
        versions = {"torch": torch.__version__.split("+")[0], "onnx": onnx.__version__, "onnxruntime": ort.__version__,
                    "numpy": np.__version__}
        graphs = [old[k] for k in sorted(old)]
        file.write_text(json.dumps({"versions": versions, "graphs": graphs}, indent=1) + "\n")
        total = sum((FOLDER / g["file"]).stat().st_size for g in graphs)
        print(f"{len(graphs)} graphs, {total / 1024:.0f} KB")
        return graphs


def noise(model, seed):
    """Seeded noise for every graph input; a free dimension becomes 1 (first axis) or SIZE."""
    rng = np.random.default_rng(seed)
    known = {i.name for i in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        if value.name in known:
            continue
        t = value.type.tensor_type
        shape = [d.dim_value or (1 if i == 0 else SIZE) for i, d in enumerate(t.shape.dim)]
        kind = onnx.helper.tensor_dtype_to_np_dtype(t.elem_type)
        if np.issubdtype(kind, np.integer):
            feed[value.name] = rng.integers(0, 256, shape).astype(kind)
        else:
            feed[value.name] = rng.standard_normal(shape).astype(kind)
    return feed


def run(model, feed):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)
