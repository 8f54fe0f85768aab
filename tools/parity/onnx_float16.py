# SPDX-License-Identifier: Apache-2.0
"""hone opt --quantize fp16 of the models of onnx_fusions.py: sizes, and how far outputs move, as ONNX Runtime and hone compute them.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime onnxscript optimum optimum-onnx) tools/parity/onnx_float16.py --hone build/hone
       [--folder DIR (as onnx_fusions.py --folder keeps it)] [--only WORD] [FILE...]
Prints one row a model and target: bytes of its f32 tensors before and of all tensors after, the largest difference of the outputs to
the model as it was, by ONNX Runtime and by hone. Ends with 1 where a difference is no number or passes 1e-2 of the largest output
(at least 1), or tensors do not halve.
"""
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

from onnx_fusions import arguments, feeds_of, files

HALVED = 0.56  # small lists of shapes stay, and angles


def tensor_bytes(path):
    def walk(graph):
        sizes = [math.prod(t.dims) * onnx.helper.tensor_dtype_to_np_dtype(t.data_type).itemsize for t in graph.initializer]
        sizes += [walk(a.g) for n in graph.node for a in n.attribute if a.type == onnx.AttributeProto.GRAPH]
        return sum(sizes)
    return walk(onnx.load(str(path), load_external_data=False).graph)


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def by_hone(hone, path, feeds, names, folder):
    inputs = []
    for i, (name, array) in enumerate(feeds.items()):
        np.save(folder / f"in{i}.npy", array)
        inputs += ["--in", f"{name}={folder / f'in{i}.npy'}"]
    out = folder / "out"
    done = subprocess.run([hone, "run", str(path), *inputs, "--out", str(out)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-200:])
    return [np.load(out / f"{n}.npy") for n in names]


def apart(before, after):
    """The largest difference, and that as a part of the largest value; NaN where there is NaN that was none."""
    off = max((float(np.abs(x.astype(np.float64) - y).max()) if x.size else 0.0) for x, y in zip(before, after))
    largest = max([1.0] + [float(np.abs(x).max()) for x in before if x.size])
    return off, off / largest


def main():
    parser = arguments()
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    print("| model | target | bytes: before, after | difference: ONNX Runtime, hone |")
    print("|---|---|---|---|")
    bad = 0
    for path, name in [(path, str(path)) for path in args.files] or [(path, name) for path, name, _ in files(args)]:
        before = session_of(path)
        feeds, names = feeds_of(before, name), [o.name for o in before.get_outputs()]
        was = before.run(names, feeds)
        for target in ("ort", "onnx"):
            with tempfile.TemporaryDirectory() as out:
                made, plain = pathlib.Path(out) / "half.onnx", pathlib.Path(out) / "full.onnx"
                try:
                    for file, options in ((made, ["--quantize", "fp16"]), (plain, [])):
                        done = subprocess.run([args.hone, "opt", str(path), "-o", str(file), "--target", target, *options],
                                              capture_output=True, text=True)
                        if done.returncode:
                            raise RuntimeError(done.stderr.strip()[-200:])
                    offs = [apart(was, session_of(made).run(names, feeds)),
                            apart(was, by_hone(args.hone, made, feeds, names, pathlib.Path(out)))]
                except Exception as e:
                    print(f"| {name} | {target} | {str(e).strip()[-300:]} |")
                    bad += 1
                    continue
                sizes = tensor_bytes(plain), tensor_bytes(made)
                wrong = not all(o[1] <= 1e-2 for o in offs) or sizes[1] > HALVED * sizes[0]
                bad += wrong
                print(f"| {name} | {target} | {sizes[0]}, {sizes[1]} | {offs[0][0]:.1e}, {offs[1][0]:.1e}{' WRONG' if wrong else ''} |",
                      flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
