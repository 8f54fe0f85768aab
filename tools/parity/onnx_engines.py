# SPDX-License-Identifier: Apache-2.0
"""The same ONNX files through hone run --engine hone, as they are and after the passes of level 2, and --engine ort, as they are and as
hone opt writes them, on the same random inputs: outputs have to have equal names, types and shapes and to lie within --most of each
other (integers equal). ONNX Runtime is the Python package's own library, so that hone's calls of its C interface are checked against
the real one.

Usage: python tools/parity/onnx_engines.py [--hone build/hone] [--library FILE] [--most 1e-4] [MODEL.onnx...]
Without models, small ones are made: of every element type both have, with bodies, with several outputs, without elements, with
products that quantize_dynamic turned into INT8.
Ends with 1 where outputs differ or an engine fails.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

SIZES = {"batch": 2, "batch_size": 2}
TYPES = ["float", "double", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]


def library_of_package():
    found = sorted((pathlib.Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    return str(found[0]) if found else None


def model_write(path, nodes, inputs, outputs):
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def int8_make(folder):
    """Three products of one value, which is quantized once, and one of another, with biases and without."""
    random, real = np.random.default_rng(1), TensorProto.FLOAT
    nodes, weights = [], []
    for name in "qkvo":
        weights += [numpy_helper.from_array(random.normal(size=(70, 45)).astype(np.float32), f"{name}_w"),
                    numpy_helper.from_array(random.normal(size=45).astype(np.float32), f"{name}_b")]
        nodes += [helper.make_node("MatMul", ["z" if name == "o" else "x", f"{name}_w"], [f"{name}_product"]),
                  helper.make_node("Relu" if name == "v" else "Add", [f"{name}_product", f"{name}_b"][:1 if name == "v" else 2], [name])]
    graph = helper.make_graph(nodes, "g", [value(name, real, ["batch", "seq", 70]) for name in "xz"],
                              [value(name, real, ["batch", "seq", 45]) for name in "qkvo"], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for kind in (QuantType.QInt8, QuantType.QUInt8):
        for per_channel in (False, True):
            quantize_dynamic(model, folder / f"{kind}{'_channels' if per_channel else ''}.onnx", weight_type=kind, per_channel=per_channel)


def models_make(folder):
    """Small models, each for one thing that passes through the interface."""
    for name in TYPES:
        kind = getattr(TensorProto, name.upper())
        nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Shape", ["x"], ["s"])]
        model_write(folder / f"{name}.onnx", nodes, [value("x", kind, ["batch", 3])],
                    [value("y", kind, ["batch", 3]), value("s", TensorProto.INT64, [2])])
    real = TensorProto.FLOAT
    nodes = [helper.make_node("Softmax", ["x"], ["p"], axis=-1), helper.make_node("MatMul", ["x", "w"], ["odd/name:0"])]
    model_write(folder / "two.onnx", nodes, [value("x", real, ["batch", "seq"]), value("w", real, ["seq", 5])],
                [value("p", real, ["batch", "seq"]), value("odd/name:0", real, ["batch", 5])])
    model_write(folder / "empty.onnx", [helper.make_node("Relu", ["x"], ["y"])], [value("x", real, [0, 4])], [value("y", real, [0, 4])])
    model_write(folder / "scalar.onnx", [helper.make_node("Neg", ["x"], ["y"])], [value("x", real, [])], [value("y", real, [])])
    branch = [helper.make_graph([helper.make_node(op, ["x"], [op])], op, [], [value(op, real, None)]) for op in ("Abs", "Exp")]
    model_write(folder / "if.onnx", [helper.make_node("If", ["c"], ["y"], then_branch=branch[0], else_branch=branch[1])],
                [value("c", TensorProto.BOOL, []), value("x", real, ["n"])], [value("y", real, ["n"])])
    int8_make(folder)
    return sorted(folder.glob("*.onnx"))


def dim_bind(param):
    """The size of a variable, or of a sum of them."""
    return sum(int(term) if term.isdigit() else SIZES.get(term, 7) for term in param.split(" + "))


def input_make(info, random):
    """An array for one input: ids below 40, masks of ones, positions that count."""
    tensor = info.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else dim_bind(d.dim_param) for d in tensor.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if "mask" in info.name:
        return np.ones(shape, dtype)
    if "token_type" in info.name:
        return np.zeros(shape, dtype)
    if "position" in info.name and shape:
        return np.broadcast_to(np.arange(shape[-1], dtype=dtype), shape)
    if dtype.kind in "iub":
        return np.asarray(random.integers(0, 2 if dtype.kind == "b" else 40, shape)).astype(dtype)
    return np.asarray(random.normal(size=shape)).astype(dtype)


def inputs_write(path, folder):
    """hone's --in options; as TensorProto, which holds every type."""
    model = onnx.load(path, load_external_data=False)
    initializers = {i.name for i in model.graph.initializer}
    options, random = [], np.random.default_rng(0)
    for index, info in enumerate(i for i in model.graph.input if i.name not in initializers):
        array = input_make(info, random)
        tensor = TensorProto(name=info.name, data_type=info.type.tensor_type.elem_type, dims=array.shape, raw_data=array.tobytes())
        (folder / f"{index}.pb").write_bytes(tensor.SerializeToString())
        options += ["--in", f"{index}={folder / f'{index}.pb'}"]
    return options


def run(hone, path, options, out, more):
    done = subprocess.run([hone, "run", path, *options, "--out", out, *more], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(more[:2])} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return {p.name: np.load(p) for p in sorted(out.iterdir())}


def difference(a, b):
    """How far two arrays lie apart; None: they are of different types or shapes."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return None
    if a.dtype.kind not in "fc":
        return 0.0 if a.tobytes() == b.tobytes() else float("inf")
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
    return float(np.max(np.nan_to_num(apart, nan=np.inf), initial=0))


def outputs_compare(ours, theirs, most):
    """What is wrong with some outputs, and how far they lie apart."""
    if ours.keys() != theirs.keys():
        return f"outputs {sorted(ours)} and {sorted(theirs)}", 0.0
    apart = {name: difference(ours[name], theirs[name]) for name in ours}
    for name, by in apart.items():
        if by is None:
            return f"{name} is {ours[name].dtype}{ours[name].shape} and {theirs[name].dtype}{theirs[name].shape}", 0.0
        if by > most:
            return f"{name} lies {by:g} apart", by
    return "", max(apart.values())


def compare(hone, library, path, most):
    """What is wrong with a model, and how far its outputs lie apart."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        options = inputs_write(path, folder)
        ort = ["--engine", "ort", "--ort-library", library]
        try:
            theirs = run(hone, path, options, folder / "ort", ort)
            subprocess.run([hone, "opt", path, "-o", folder / "opt.onnx"], check=True, capture_output=True, timeout=600)
            ways = {"level 0": run(hone, path, options, folder / "0", ["--level", "0"]),
                    "level 2": run(hone, path, options, folder / "2", ["--level", "2"]),
                    "ort after hone opt": run(hone, folder / "opt.onnx", options, folder / "opt", ort)}
        except (RuntimeError, subprocess.SubprocessError) as e:
            return str(e), 0.0
    for way, ours in ways.items():
        problem, apart = outputs_compare(ours, theirs, most)
        if problem:
            return f"{way}: {problem}", apart
        worst = max(worst, apart)
    return "", worst


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--library", default=library_of_package())
    parser.add_argument("--most", type=float, default=1e-4)
    args = parser.parse_args()
    if not args.library:
        parser.error("the onnxruntime package has no libonnxruntime.so; give --library")
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        models = args.models or models_make(pathlib.Path(scratch))
        for path in models:
            why, apart = compare(args.hone, args.library, path, args.most)
            print(f"{'wrong' if why else 'same'} {path.name}: {why or f'{apart:g} apart'}")
            wrong += bool(why)
    print(f"{len(models) - wrong} same, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
