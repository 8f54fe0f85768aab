# SPDX-License-Identifier: Apache-2.0
"""Cases of tensor operators for tests/op/test_tensor.c, computed by onnx's reference evaluator (ONNX Runtime's operators by
ONNX Runtime). Each module beside this one gives cases of a family of operators: cases() yields Case.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime) tools/goldens/op/make.py   (writes tests/golden/op/)
"""
import importlib
import pathlib
import sys

import numpy as np
import onnx
from onnx import helper

from case import Constant

HERE = pathlib.Path(__file__).parent
NAMES = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "int32": "i32", "int16": "i16",
    "int8": "i8", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool",
    "float8_e4m3fn": "f8e4m3", "float8_e4m3fnuz": "f8e4m3fnuz", "float8_e5m2": "f8e5m2", "float8_e5m2fnuz": "f8e5m2fnuz",
    "float8_e8m0fnu": "f8e8m0", "float4_e2m1fn": "f4e2m1", "uint4": "u4", "int4": "i4", "uint2": "u2", "int2": "i2",
}


def values(array):
    array = np.asarray(array)
    name = NAMES[array.dtype.name]
    flat = array.reshape(-1)
    if array.dtype == bool or name[0] in "ui":
        words = [str(int(v)) for v in flat]
    elif name == "f64":
        words = [repr(float(v)) for v in flat]
    else:
        words = ["%.9g" % float(v) for v in flat]
    return " ".join([f"{name}[{','.join(str(d) for d in array.shape)}]"] + words)


def attribute_text(value):
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(str(int(v)) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return str(value)


def node_text(case):
    if case.text:
        return case.text
    name = (case.domain + "." if case.domain else "") + case.op
    if not case.attributes:
        return name
    return name + " {" + ", ".join(f"{k}={attribute_text(v)}" for k, v in sorted(case.attributes.items())) + "}"


def compute(case):
    arrays = [i.value if isinstance(i, Constant) else i for i in case.inputs]
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, domain=case.domain, **case.attributes)
    kind = lambda a: helper.np_dtype_to_tensor_dtype(a.dtype)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(n, kind(a), a.shape) for n, a in zip(names, arrays) if a is not None],
        [onnx.ValueInfoProto(name=n) for n in outputs])
    imports = [helper.make_opsetid("", case.opset)]
    if case.domain:
        imports.append(helper.make_opsetid(case.domain, 1))
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    feeds = {n: a for n, a in zip(names, arrays) if a is not None}
    if case.domain:
        import onnxruntime
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(outputs, feeds)
    from onnx.reference import ReferenceEvaluator
    return ReferenceEvaluator(model).run(None, feeds)


def case_text(case):
    lines = [f"case {case.name}", node_text(case)]
    for item in case.inputs:
        if item is None:
            lines.append("absent")
        elif isinstance(item, Constant):
            lines.append("const " + values(item.value))
        else:
            lines.append("in " + values(item))
    if case.fails:
        return "\n".join(lines + ["fails " + case.fails]) + "\n"
    expected = case.expected if case.expected is not None else compute(case)
    lines += ["out " + values(e) for e in expected]
    return "\n".join(lines) + "\n"


def main():
    folder = HERE.parents[2] / "tests/golden/op"
    folder.mkdir(parents=True, exist_ok=True)
    only = set(sys.argv[1:])
    texts = {}
    for module in sorted(p.stem for p in HERE.glob("*_cases.py")):
        for case in importlib.import_module(module).cases():
            if not only or case.symbol in only:
                texts.setdefault(case.symbol, []).append(case_text(case))
    for symbol, parts in texts.items():
        (folder / f"{symbol}.txt").write_text("".join(parts))
    print(f"{sum(len(p) for p in texts.values())} cases of {len(texts)} operators")


if __name__ == "__main__":
    main()
