"""Writes the small ONNX files of test/data/onnx, and what Python's onnx package reads in them (expected.json).

    python scripts/make-onnx-fixtures.py                      # writes test/data/onnx (needs onnx, numpy, ml_dtypes)
    python scripts/make-onnx-fixtures.py --compare A B        # A and B hold the same model, as Python reads them

The tests read the files; they need no Python.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model

FOLDER = Path(__file__).resolve().parent.parent / "test" / "data" / "onnx"
NEWEST = onnx.defs.onnx_opset_version()


def info(name, shape, kind=T.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, initializers=(), opset=13, ir=8, **graph):
    g = helper.make_graph(list(nodes), "fixture", list(inputs), list(outputs), list(initializers), **graph)
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], producer_name="fixtures")
    m.ir_version = ir
    return m


def conv_model(opset, ir=8):
    """x -> Conv -> Relu -> y: valid in every operator set."""
    rng = np.random.default_rng(opset)
    w = numpy_helper.from_array(rng.standard_normal((4, 3, 1, 1)).astype(np.float32), "w")
    b = numpy_helper.from_array(rng.standard_normal(4).astype(np.float32), "b")
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", kernel_shape=[1, 1]),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    inputs = [info("x", ["N", 3, 2, 2])]
    if ir < 4:
        inputs += [info("w", [4, 3, 1, 1]), info("b", [4])]
    return model(nodes, inputs, [info("y", ["N", 4, 2, 2])], [w, b], opset, ir)


def typed_model():
    """One initializer of every element type that has a typed field, none of them raw."""
    values = {
        "float": (T.FLOAT, [1.5, -2.25, 3e38]),
        "double": (T.DOUBLE, [0.1, -1e300, 0.0]),
        "int64": (T.INT64, [2**40, -(2**40), 7]),
        "int32": (T.INT32, [-(2**31), 2**31 - 1, 0]),
        "int16": (T.INT16, [-32768, 32767, 5]),
        "uint16": (T.UINT16, [65535, 0, 1]),
        "int8": (T.INT8, [-128, 127, 3]),
        "uint8": (T.UINT8, [255, 0, 3]),
        "bool": (T.BOOL, [True, False, True]),
        "uint32": (T.UINT32, [2**32 - 1, 0, 9]),
        "uint64": (T.UINT64, [2**52, 0, 9]),
        "float16": (T.FLOAT16, [1.0009765625, -65504.0, 6e-8]),
        "bfloat16": (T.BFLOAT16, [1.0078125, -3.0, 1e38]),
    }
    tensors = [helper.make_tensor(name, kind, [3], vals) for name, (kind, vals) in values.items()]
    tensors.append(helper.make_tensor("complex64", T.COMPLEX64, [1], [1 + 2j]))
    tensors.append(helper.make_tensor("string", T.STRING, [2], [b"a", b"bc"]))
    tensors.append(helper.make_tensor("int4", T.INT4, [3], [-8, 7, 1]))
    tensors.append(helper.make_tensor("scalar", T.FLOAT, [], [4.5]))
    tensors.append(helper.make_tensor("empty", T.FLOAT, [0, 3], []))
    # Longer than the reader's threshold: read as raw data.
    tensors.append(helper.make_tensor("long", T.FLOAT, [512], [i / 7 for i in range(512)]))
    tensors.append(helper.make_tensor("long_double", T.DOUBLE, [256], [i / 7 for i in range(256)]))
    nodes = [helper.make_node("Identity", ["float"], ["y"], "identity")]
    return model(nodes, [], [info("y", [3])], tensors, 21, 10)


def constants_model():
    """Weights as Constant nodes in every form, one behind two Identity nodes."""
    w = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1) / 8, "ignored_name")
    dense = numpy_helper.from_array(np.array([1, 2], np.float32), "dense_values")
    index = numpy_helper.from_array(np.array([0, 3], np.int64), "dense_index")
    nodes = [
        helper.make_node("Constant", [], ["w"], "w_node", value=w),
        helper.make_node("Identity", ["w"], ["w1"], "same"),
        helper.make_node("Identity", ["w1"], ["w2"], "same"),
        helper.make_node("Constant", [], ["half"], value_float=0.5),
        helper.make_node("Constant", [], ["bias"], value_floats=[1.0, 2.0, 3.0, 4.0]),
        helper.make_node("Constant", [], ["two"], value_int=2),
        helper.make_node("Constant", [], ["shape"], value_ints=[-1, 4]),
        helper.make_node("Constant", [], ["word"], value_string="word"),
        helper.make_node("Constant", [], ["sparse"], sparse_value=helper.make_sparse_tensor(dense, index, [4])),
        helper.make_node("Conv", ["x", "w2", "bias"], ["c"], "conv"),
        helper.make_node("Mul", ["c", "half"], ["m"], "mul"),
        helper.make_node("Reshape", ["m", "shape"], ["y"], "reshape"),
    ]
    return model(nodes, [info("x", [1, 3, 2, 2])], [info("y", ["P", 4])])


def with_unknown(message, number, data):
    """The same message with a field that no version of ONNX knows."""
    tag = number << 3 | 2
    encoded = bytearray()
    for value in (tag, len(data)):
        while value > 127:
            encoded.append(value & 127 | 128)
            value >>= 7
        encoded.append(value)
    return type(message).FromString(message.SerializeToString() + bytes(encoded) + data)


def everything_model():
    """All that must survive untouched: docs, metadata, functions, training, sparse and quantised parts, new fields."""
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([1.0, 2.0], np.float32), "sp"),
        numpy_helper.from_array(np.array([0, 3], np.int64), "sp_index"),
        [4],
    )
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "outer"], ["t"], "inner_add")], "then", [], [info("t", [4])]
    )
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["e"], "inner_neg")], "else", [], [info("e", [4])])
    nodes = [
        helper.make_node("If", ["flag"], ["z"], "if", then_branch=branch, else_branch=other),
        helper.make_node("Double", ["z"], ["d"], "call", domain="local"),
        helper.make_node("Add", ["d", "sp"], ["y"], "add", doc_string="adds"),
    ]
    outer = numpy_helper.from_array(np.arange(4, dtype=np.float32), "outer")
    m = model(
        nodes, [info("x", [4]), info("flag", [], T.BOOL)], [info("y", [4])], [outer],
        opset=17, sparse_initializer=[sparse], value_info=[info("z", [4])], doc_string="a graph",
    )
    m.opset_import.append(helper.make_opsetid("local", 1))
    m.functions.append(
        helper.make_function("local", "Double", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
                             [helper.make_opsetid("", 17)])
    )
    algorithm = helper.make_graph([helper.make_node("Neg", ["y"], ["g"])], "step", [], [info("g", [4])])
    m.training_info.append(helper.make_training_info(algorithm, [], None, None))
    helper.set_model_props(m, {"ssd-prune.note": "ü — kept", "empty": ""})
    m.doc_string, m.domain, m.model_version, m.producer_version = "a model", "org.example", 42, "1.0"
    note = m.graph.quantization_annotation.add(tensor_name="outer")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="outer")
    m.graph.node[2].CopyFrom(with_unknown(m.graph.node[2], 2000, b"of a node"))
    m.graph.initializer[0].CopyFrom(with_unknown(m.graph.initializer[0], 2000, b"of a tensor"))
    m.graph.CopyFrom(with_unknown(m.graph, 2000, b"of the graph"))
    return with_unknown(m, 2000, b"of the model")


def external_model(name):
    """Two weights in one file, at offsets, and one that takes a whole file."""
    m = model(
        [helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv"), helper.make_node("Add", ["c", "a"], ["y"], "add")],
        [info("x", [1, 3, 2, 2])], [info("y", [1, 4, 2, 2])],
        [numpy_helper.from_array(np.arange(n, dtype=np.float32).reshape(s) - 3, k)
         for k, n, s in (("w", 12, (4, 3, 1, 1)), ("b", 4, (4,)), ("a", 1, (1,)))],
    )
    w, b, a = m.graph.initializer
    shared = bytearray(64) + w.raw_data + bytes(16) + b.raw_data
    (FOLDER / f"{name}.bin").write_bytes(bytes(shared))
    (FOLDER / f"{name}.whole").write_bytes(a.raw_data)
    for tensor, entries in (
        (w, {"location": f"{name}.bin", "offset": "64", "length": str(len(w.raw_data))}),
        (b, {"location": f"{name}.bin", "offset": str(64 + len(w.raw_data) + 16), "length": str(len(b.raw_data))}),
        (a, {"location": f"{name}.whole"}),
    ):
        tensor.ClearField("raw_data")
        tensor.data_location = T.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    return m


def unordered_model():
    m = conv_model(13)
    nodes = list(m.graph.node)
    del m.graph.node[:]
    m.graph.node.extend(reversed(nodes))
    return m


def good_models():
    for opset in sorted({7, 8, 9, 10, 11, 12, 13, 15, 17, 19, 21, 23, NEWEST}):
        yield f"opset-{opset}", conv_model(opset, 3 if opset < 9 else 8 if opset < 21 else 10)
    yield "typed", typed_model()
    yield "constants", constants_model()
    yield "everything", everything_model()
    yield "external", external_model("external")


def bad_models():
    """What a structural check must refuse; Python's checker refuses all of these too (asserted below)."""
    m = conv_model(13)
    m.graph.node[1].output[0] = "c"
    yield "two-makers", m
    m = conv_model(13)
    m.graph.initializer.append(m.graph.initializer[0])
    yield "two-initializers", m
    m = conv_model(13)
    m.graph.node[0].input[0] = "y"
    yield "cycle", m
    m = conv_model(13)
    m.graph.node[0].input[0] = "nowhere"
    yield "dangling", m
    m = conv_model(13)
    m.graph.initializer[0].dims[0] = 5
    yield "short-data", m
    m = conv_model(13)
    m.graph.initializer[0].data_location = T.EXTERNAL
    m.graph.initializer[0].ClearField("raw_data")
    yield "external-nowhere", m


def values(m):
    out = {}
    for t in m.graph.initializer:
        array = numpy_helper.to_array(t)
        if array.dtype.kind in "fiub" or array.dtype.name == "bfloat16":
            out[t.name] = [None if isinstance(v, str) else float(v) for v in array.astype(np.float64).ravel()]
    return out


def write_all():
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, m in good_models():
        (FOLDER / f"{name}.onnx").write_bytes(m.SerializeToString(deterministic=True))
        onnx.checker.check_model(str(FOLDER / f"{name}.onnx"))
        if name == "external":
            load_external_data_for_model(m, str(FOLDER))
        expected[name] = {"opset": m.opset_import[0].version, "values": values(m)}
    (FOLDER / "unordered.onnx").write_bytes(unordered_model().SerializeToString(deterministic=True))
    for name, m in bad_models():
        path = FOLDER / f"bad-{name}.onnx"
        path.write_bytes(m.SerializeToString(deterministic=True))
        try:
            onnx.checker.check_model(str(path))
        except Exception:
            continue
        raise SystemExit(f"{name}: the checker accepts it")
    (FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


def compare(a, b):
    """Equal but for where and how tensors store their bytes."""
    one, two = onnx.load(a), onnx.load(b)
    onnx.checker.check_model(b)

    def normal(m):
        tensors = list(m.graph.initializer)
        tensors += [x.t for n in m.graph.node for x in n.attribute if x.HasField("t")]
        for t in tensors:
            if t.data_type != T.STRING:
                name, doc = t.name, t.doc_string
                extra = t.metadata_props
                fresh = numpy_helper.from_array(numpy_helper.to_array(t), name)
                for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data",
                              "external_data", "data_location"):
                    t.ClearField(field)
                t.raw_data = fresh.raw_data
                assert (t.doc_string, t.metadata_props) == (doc, extra)
        return m.SerializeToString(deterministic=True)

    if normal(one) != normal(two):
        raise SystemExit(f"{a} and {b} differ")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        compare(*sys.argv[2:4])
    else:
        write_all()
