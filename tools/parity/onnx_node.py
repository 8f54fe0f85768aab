# SPDX-License-Identifier: Apache-2.0
"""ONNX's node tests through hone run: every case of a folder with index.jsonl (shared/data/onnx-node has one).

Usage: python tools/parity/onnx_node.py FOLDER [--hone build/hone] [--list] [--report FILE.json] [--only WORD]
Passes: outputs of the expected type and shape, equal to rtol 1e-3 and atol 1e-5 (2e-3 for half precision), integers exactly. Ends with
1 where fewer than --least pass, or where hone ends otherwise than with 0, 3, 4 or 6.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

TWO_BITS = {25: np.uint8, 26: np.int8}  # UINT2, INT2: newer than the onnx package


def elements(tensor):
    """The tensor as an array; integers of 2 bits as whole bytes."""
    if tensor.data_type not in TWO_BITS:
        return numpy_helper.to_array(tensor)
    packed = np.frombuffer(tensor.raw_data, np.uint8) if tensor.raw_data else np.array(tensor.int32_data, np.uint8)
    codes = (packed[:, None] >> np.arange(0, 8, 2)).reshape(-1)[: int(np.prod(tensor.dims))] & 3
    if tensor.data_type == 26:
        codes = (codes ^ 2).astype(np.int8) - 2
    return codes.astype(TWO_BITS[tensor.data_type]).reshape(tuple(tensor.dims))


def load_proto(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return tensor


def load_output(path, dtype):
    """The .npy as the expected type: bf16 and 8-bit floats are void bytes in it, small integers whole bytes."""
    array = np.load(path, allow_pickle=False)
    if array.dtype.kind == "V":
        array = array.view(dtype)
    return array


def close(got, want):
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    small = want.dtype.itemsize == 1 and want.dtype.kind not in "iub"
    if got.dtype != want.dtype and not (want.dtype.name in ("int4", "uint4", "int2", "uint2") and got.dtype.kind in "iu"):
        return f"type {got.dtype}, expected {want.dtype}"
    if want.dtype.kind in "iub" or want.dtype.name in ("int4", "uint4", "int2", "uint2") or small:
        a, b = got.astype(np.float64), want.astype(np.float64)
        same = np.array_equal(a, b, equal_nan=True)
    else:
        rtol, atol = (2e-3, 2e-3) if want.dtype.itemsize == 2 else (1e-3, 1e-5)
        same = np.allclose(got.astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol, equal_nan=True)
    if same:
        return None
    return f"values differ: {got.reshape(-1)[:4]} for {want.reshape(-1)[:4]}"


def run_case(hone, folder, row):
    case = folder / row["dir"]
    data = case / "test_data_set_0"
    model = onnx.load(case / "model.onnx", load_external_data=False)
    initializers = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in initializers]
    command = [hone, "run", case / "model.onnx"]
    for i, name in enumerate(names):
        if (data / f"input_{i}.pb").exists():
            command += ["--in", f"{i}={data}/input_{i}.pb"]
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([*map(str, command), "--out", out, "--threads", "1"], capture_output=True, text=True, timeout=60)
        if done.returncode:
            return done.returncode, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
        for i, output in enumerate(model.graph.output):
            want = elements(load_proto(data / f"output_{i}.pb"))
            file = "".join(c if c.isalnum() and c.isascii() or c in "._-" else "_" for c in output.name) + ".npy"
            difference = close(load_output(pathlib.Path(out) / file, want.dtype), want)
            if difference:
                return 0, f"output {output.name}: {difference}"
    return 0, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--list", action="store_true", help="print every case that does not pass")
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--least", type=int, default=0)
    args = parser.parse_args()
    rows = [json.loads(line) for line in (args.folder / "index.jsonl").read_text().splitlines()]
    rows = [r for r in rows if args.only in r["op"] + " " + r["case"]]
    results, crashed = {}, 0
    for row in rows:
        if row["random"]:
            results[row["dir"]] = "random output"
            continue
        try:
            code, why = run_case(args.hone, args.folder, row)
        except Exception as e:
            code, why = 0, f"{type(e).__name__}: {e}"
        if code not in (0, 3, 4, 6):
            crashed += 1
            why = f"exit {code}: {why}"
        results[row["dir"]] = why
    passed = sum(why is None for why in results.values())
    if args.list:
        for name, why in results.items():
            if why:
                print(f"{name}: {why[:200]}")
    missing = collections.Counter(r["op"] for r in rows if results[r["dir"]])
    print("not passed by operator:", dict(missing.most_common()))
    print(f"{passed} of {len(rows)} cases pass, {crashed} ended badly")
    if args.report:
        args.report.write_text(json.dumps(results, indent=1))
    return 1 if crashed or passed < args.least else 0


if __name__ == "__main__":
    sys.exit(main())
