# SPDX-License-Identifier: Apache-2.0
"""Files that an optimizer went through, back in ONNX's own operators: hone opt --target onnx of a model and of what hone opt
--target ort, onnxruntime.transformers.optimizer and ONNX Runtime's own session (extended level) make of it.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime onnxscript optimum optimum-onnx) tools/parity/onnx_plain.py --hone build/hone
       [--folder DIR (as onnx_fusions.py --folder keeps it)] [--only WORD]
Prints one row a model and optimizer: attention, norms and gelus of both, and the largest difference of the outputs to the model
as it was. Ends with 1 where operators of com.microsoft are left, fewer are found than in the model as it was, or a difference
passes 1e-5.
"""
import pathlib
import subprocess
import sys
import tempfile

import onnx
import onnxruntime

from onnx_fusions import HEADS, WIDTH, arguments, counts, difference, files

KINDS = ("attention", "norm", "gelu")


def plain(hone, path, made):
    done = subprocess.run([hone, "opt", str(path), "-o", str(made), "--target", "onnx"], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()[-160:]


def by_hone(hone, path, kind, made):
    subprocess.run([hone, "opt", str(path), "-o", str(made)], capture_output=True, check=True)


def by_optimizer(hone, path, kind, made):
    from onnxruntime.transformers import optimizer
    onnx.save(optimizer.optimize_model(str(path), model_type=kind, num_heads=HEADS, hidden_size=WIDTH, opt_level=0).model, str(made))


def by_session(hone, path, kind, made):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(made)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def domains(path):
    return sorted({n.domain + "." + n.op_type for n in onnx.load(str(path)).graph.node if n.domain or "Simplified" in n.op_type})


def main():
    args = arguments().parse_args()
    print("| model | optimizer | " + " | ".join(f"{k}: as it was, again" for k in KINDS) + " | difference |")
    print("|---|---|" + "---|" * (len(KINDS) + 1))
    bad = 0
    for path, name, kind in files(args):
        with tempfile.TemporaryDirectory() as out:
            first, optimized, again = (pathlib.Path(out) / f"{n}.onnx" for n in ("first", "optimized", "again"))
            problem = plain(args.hone, path, first)
            for label, optimize in (("hone", by_hone), ("optimizer", by_optimizer), ("session", by_session)):
                try:
                    optimize(args.hone, path, kind, optimized)
                    onnxruntime.InferenceSession(str(optimized), providers=["CPUExecutionProvider"])
                except Exception as e:  # an optimizer's own limits: said, not counted, but for ours
                    print(f"| {name} | {label} | made no model: {str(e)[:80]} |")
                    bad += label == "hone"
                    continue
                problem = problem or plain(args.hone, optimized, again)
                if problem:
                    print(f"| {name} | {label} | {problem} |")
                    bad, problem = bad + 1, None
                    continue
                was, now = counts(first)[1], counts(again)[1]
                off, left = difference(path, again, name), domains(again)
                fewer = any(now[k] < was[k] for k in KINDS)
                bad += fewer or bool(left) or not off <= 1e-5
                print(f"| {name} | {label} | " + " | ".join(f"{was[k]}, {now[k]}" for k in KINDS) +
                      f" | {off:.1e}{' FEWER' if fewer else ''}{' LEFT ' + ', '.join(left) if left else ''} |", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
