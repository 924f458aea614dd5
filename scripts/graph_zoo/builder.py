"""A terse writer of ONNX graphs by hand: every method adds nodes and gives back the name of the result."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .common import CLASSES, PRIORS, SIZE, filters, rng_of


class Graph:
    def __init__(self, name, opset=13, size=SIZE, channels=3, batch=1, constants=False):
        self.name, self.opset, self.rng = name, opset, rng_of(name)
        self.nodes, self.initializers, self.count = [], [], 0
        self.constants = constants  # weights as Constant nodes instead of initializers
        self.inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, channels, size, size])]
        self.outputs, self.boxes, self.scores = [], [], []
        self.functions, self.domains = [], {}

    def fresh(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def put(self, name, values):
        values = np.asarray(values)
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        tensor = numpy_helper.from_array(values, name)
        if self.constants:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def op(self, kind, *inputs, outputs=1, name=None, **attributes):
        names = [name] if name else [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0] + "/" + kind, **attributes))
        return names[0] if len(names) == 1 else names

    def ints(self, values, name=None):
        return self.put(name or self.fresh("shape"), np.asarray(values, np.int64))

    def conv(self, name, x, cin, cout, k=1, s=1, g=1, act="Relu", bias=True, weight=None, pads=None, d=1):
        """The weight is called `name`.w, the bias `name`.b; padding keeps the size unless `pads` is given."""
        weight = weight or self.put(name + ".w", filters(self.rng, (cout, cin // g, k, k)))
        inputs = [x, weight] + ([self.put(name + ".b", self.rng.normal(0, 0.2, cout))] if bias else [])
        p = d * (k // 2)
        y = self.op("Conv", *inputs, kernel_shape=[k, k], strides=[s, s], group=g, dilations=[d, d],
                    pads=pads or [p, p, p, p], name=name + "/y" if act else name)
        return self.op(act, y, name=name) if act else y

    def bn(self, name, x, c):
        r = self.rng
        parts = [self.put(f"{name}.{k}", v) for k, v in (
            ("scale", r.uniform(0.5, 1.5, c)), ("shift", r.normal(0, 0.2, c)),
            ("mean", r.normal(0, 0.3, c)), ("var", r.uniform(0.5, 1.5, c)))]
        return self.op("BatchNormalization", x, *parts, epsilon=1e-5, name=name)

    def rows(self, x, columns, target=None):
        y = self.op("Transpose", x, perm=[0, 2, 3, 1])
        return self.op("Reshape", y, target or self.ints([1, -1, columns]))

    def head(self, x, c, k=1):
        i = len(self.boxes)
        self.boxes.append(self.rows(self.conv(f"loc{i}", x, c, PRIORS * 4, k, act=None), 4))
        self.scores.append(self.rows(self.conv(f"conf{i}", x, c, PRIORS * CLASSES, k, act=None), CLASSES))

    def ends(self):
        """The concatenated boxes and scores, not yet graph outputs."""
        join = lambda parts, name: self.op("Concat", *parts, axis=1, name=name) if len(parts) > 1 else self.op("Identity", *parts, name=name)
        return join(self.boxes, "boxes"), join(self.scores, "scores")

    def output(self, name, shape, kind=TensorProto.FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def model(self, ends=True):
        if ends:
            boxes, scores = self.ends()
            self.output(boxes, [None, None, 4])
            self.output(scores, [None, None, CLASSES])
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        imports = [helper.make_opsetid("", self.opset), *[helper.make_opsetid(d, v) for d, v in self.domains.items()]]
        versions = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10}
        return helper.make_model(graph, opset_imports=imports, functions=self.functions, producer_name="graph-zoo",
                                 ir_version=max(versions.get(self.opset, 10), 8 if self.functions else 4))
