# SPDX-License-Identifier: Apache-2.0
"""hone opt --level 0 over ONNX's node tests: every model of a folder with index.jsonl that hone reads is written again, has to
pass onnx.checker, and has to give the same bits as the original in ONNX Runtime, or else in onnx's reference evaluator.

Usage: python tools/parity/onnx_write.py FOLDER [--hone build/hone] [--only WORD] [--list] [--least N]
Ends with 1 where a written model differs or is refused, or where fewer than --least are compared.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)


def load_proto(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def checks(path):
    """Why the checker refuses a file; None: it does not."""
    try:
        # onnx 1.19 cannot infer the shapes of any MeanVarianceNormalization from opset 13 on
        full = all(n.op_type != "MeanVarianceNormalization" for n in onnx.load(path, load_external_data=False).graph.node)
        onnx.checker.check_model(str(path), full_check=full)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return None


def by_runtime(path, arrays):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays)))


def by_reference(path, arrays):
    evaluator = ReferenceEvaluator(onnx.load(path))
    return evaluator.run(None, dict(zip(evaluator.input_names, arrays)))


def same(a, b):
    if len(a) != len(b):
        return False
    return all(x.shape == y.shape and x.dtype == y.dtype and np.ascontiguousarray(x).tobytes() == np.ascontiguousarray(y).tobytes()
               for x, y in zip(map(np.asarray, a), map(np.asarray, b)))


def write(hone, source, to, *more):
    done = subprocess.run([hone, "opt", source, "-o", to, "--level", "0", *more], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.strip()


def run_case(hone, case, scratch):
    """"compared", "checked" (nothing runs the original), or what is wrong; the exit code of hone."""
    source, to = case / "model.onnx", scratch / "out.onnx"
    code, why = write(hone, source, to)
    if code:
        return ("refused", code, why)
    original = onnx.load(source, load_external_data=False)
    initializers = {i.name for i in original.graph.initializer}
    count = sum(i.name not in initializers for i in original.graph.input)
    data = case / "test_data_set_0"
    refusal = checks(to)
    if refusal and not checks(source):
        return ("wrong", 0, refusal)
    try:
        arrays = [load_proto(data / f"input_{i}.pb") for i in range(count)]
    except Exception as e:
        return ("checked", 0, f"inputs: {e}")
    why = ""
    for evaluate in by_runtime, by_reference:
        try:
            want = evaluate(source, arrays)
        except Exception as e:
            why = f"{type(e).__name__}: {e}"
            continue
        try:
            got = evaluate(to, arrays)
        except Exception as e:
            return ("wrong", 0, f"{evaluate.__name__}: {type(e).__name__}: {e}")
        if not same(want, got):
            return ("wrong", 0, f"{evaluate.__name__}: results differ")
        return ("compared", 0, "")
    return ("checked", 0, why)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true", help="tell of every case that is not compared")
    parser.add_argument("--least", type=int, default=0)
    args = parser.parse_args()
    rows = [json.loads(line) for line in (args.folder / "index.jsonl").read_text().splitlines()]
    rows = [r for r in rows if args.only in r["op"] + " " + r["case"] and not r["random"]]
    counts, wrong = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as scratch:
        for row in rows:
            kind, code, why = run_case(args.hone, args.folder / row["dir"], pathlib.Path(scratch))
            bad = kind == "wrong" or code not in (0, 3, 6)
            counts["wrong" if bad else kind] += 1
            wrong += bad
            if bad or (args.list and kind != "compared"):
                print(f"{kind} {code} {row['dir']}: {why[:300]}")
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())), f"of {len(rows)}")
    return 1 if wrong or counts["compared"] < args.least else 0


if __name__ == "__main__":
    sys.exit(main())
