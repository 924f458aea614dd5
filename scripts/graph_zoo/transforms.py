"""One exported model made into another: weights as Constant nodes, behind Identity, quantised, in half precision."""

import tempfile
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization as q
from onnxruntime.quantization.preprocess import quant_pre_process

from .common import noise


def constants_only(model):
    """Every initializer becomes a Constant node in front of its first reader, as paddle2onnx writes them."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    left = {i.name: i for i in made.graph.initializer}
    nodes = []
    for node in model.graph.node:
        for name in node.input:
            if name in left:
                nodes.append(helper.make_node("Constant", [], [name], value=left.pop(name)))
        nodes.append(node)
    del made.graph.initializer[:]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def behind_identity(model, every=2):
    """Every n-th floating initializer is read through an Identity node, two in a row for some."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    heads, renamed = [], {}
    floats = [i for i in made.graph.initializer if i.data_type == TensorProto.FLOAT]
    for n, tensor in enumerate(floats):
        if n % every:
            continue
        last = tensor.name
        for hop in range(1 + (n // every) % 2):
            heads.append(helper.make_node("Identity", [last], [f"{tensor.name}/identity{hop}"]))
            last = heads[-1].output[0]
        renamed[tensor.name] = last
    for node in made.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    body = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend(heads + body)
    return made


def typed_data(model):
    """Raw data becomes float_data / int64_data, as older exporters wrote it."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT:
            tensor.ClearField("raw_data")
            tensor.float_data.extend(values.ravel().tolist())
        elif tensor.data_type == TensorProto.INT64:
            tensor.ClearField("raw_data")
            tensor.int64_data.extend(values.ravel().tolist())
    return made


def as_inputs(model):
    """Initializers are graph inputs too, as IR version 3 required; the order is weights first, image last."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    image = list(made.graph.input)
    del made.graph.input[:]
    made.graph.input.extend(helper.make_tensor_value_info(i.name, i.data_type, list(i.dims)) for i in made.graph.initializer)
    made.graph.input.extend(image)
    made.ir_version = 3
    return made


def without_identity(model):
    """Readers of an Identity read what stands before it, as simplifiers leave it."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    keep, source = [], {}
    outputs = {o.name for o in model.graph.output}
    for node in made.graph.node:
        if node.op_type == "Identity" and node.output[0] not in outputs:
            source[node.output[0]] = source.get(node.input[0], node.input[0])
            continue
        for i, name in enumerate(node.input):
            node.input[i] = source.get(name, name)
        keep.append(node)
    del made.graph.node[:]
    made.graph.node.extend(keep)
    return made


def half(model, io_float32, kind=TensorProto.FLOAT16):
    """Every float32 tensor in 16 bits; with io_float32 a Cast stands at the input and at every output."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    np_kind = helper.tensor_dtype_to_np_dtype(kind)

    def convert(tensor):
        values = numpy_helper.to_array(tensor).astype(np_kind)
        new = helper.make_tensor(tensor.name, kind, tensor.dims, values.tobytes(), raw=True)
        tensor.CopyFrom(new)

    for tensor in made.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            convert(tensor)
    for node in made.graph.node:
        for a in node.attribute:
            if a.HasField("t") and a.t.data_type == TensorProto.FLOAT:
                convert(a.t)
            if node.op_type == "Cast" and a.name == "to" and a.i == TensorProto.FLOAT:
                a.i = kind
    del made.graph.value_info[:]
    ends = [*made.graph.input, *made.graph.output]
    if not io_float32:
        for value in ends:
            value.type.tensor_type.elem_type = kind
        return made
    inner = {v.name: v.name + "/half" for v in ends}
    for node in made.graph.node:
        for field in (node.input, node.output):
            for i, name in enumerate(field):
                field[i] = inner.get(name, name)
    body = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend([helper.make_node("Cast", [v.name], [inner[v.name]], to=kind) for v in made.graph.input])
    made.graph.node.extend(body)
    made.graph.node.extend([helper.make_node("Cast", [inner[v.name]], [v.name], to=TensorProto.FLOAT) for v in made.graph.output])
    return made


class _Pictures(q.CalibrationDataReader):
    def __init__(self, model):
        self.rest = [noise(model, seed) for seed in range(1, 5)]

    def get_next(self):
        return self.rest.pop() if self.rest else None


def quantised(model, how, per_channel=True, signed=True):
    """`how`: qdq, qoperator (static, four noise pictures) or dynamic; returns the quantised model."""
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, out = (str(pathlib.Path(folder) / n) for n in ("plain.onnx", "ready.onnx", "out.onnx"))
        onnx.save(model, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        kind = q.QuantType.QInt8 if signed else q.QuantType.QUInt8
        if how == "dynamic":
            q.quantize_dynamic(ready, out, per_channel=per_channel, weight_type=q.QuantType.QUInt8,
                               op_types_to_quantize=["Conv", "MatMul", "Gemm"])
        else:
            fmt = q.QuantFormat.QDQ if how == "qdq" else q.QuantFormat.QOperator
            q.quantize_static(ready, out, _Pictures(model), quant_format=fmt, per_channel=per_channel,
                              activation_type=q.QuantType.QUInt8, weight_type=kind)
        return onnx.load(out)
