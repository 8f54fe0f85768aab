#!/usr/bin/env python3
"""What every row of optimize's table loses on a test set that nothing was tuned on, greedy and with 4 beams.

    losses.py MODEL --data DEV.jsonl --test TEST.jsonl [--max-length N] [--texts FILE] [--time-limit 10m]

Writes each model with `hone quantize` and `hone prune` and the chosen ones with `hone optimize --for latency` and `--for memory` over
DEV, and compares it with MODEL by `hone eval TEST --baseline MODEL`. Prints a table in Markdown: relative losses in percent with
paired 95 % intervals, and their mean.
"""
import argparse, os, subprocess, tempfile
from common import *

ROWS = [("FP16", "quantize", ["--scheme", "fp16"]), ("INT8 dynamic", "quantize", ["--scheme", "int8"]),
        ("INT8 static", "quantize", ["--scheme", "int8-static", "--calibrate", "mse", "--calibration", "DATA"]),
        ("NF4, double quantized", "quantize", ["--scheme", "nf4", "--double-quant"]),
        ("INT4, GPTQ", "quantize", ["--scheme", "int4", "--group", "GROUP", "--gptq", "--calibration", "DATA"]),
        ("pruned 30 % (neurons)", "prune", ["--method", "ffn", "--amount", "0.3"]),
        ("zeros 30 % (global)", "prune", ["--method", "l1-unstructured", "--amount", "0.3", "--global"]),
        ("vocabulary trimmed", "prune", ["--method", "vocab", "--data", "TEXTS", "--no-measure"])]


def answer(command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    return json.loads(run.stdout) if run.stdout.strip() else None


def make(a, folder, name, command, options):
    out = os.path.join(folder, "".join(c if c.isalnum() else "-" for c in name))
    words = {"DATA": a.data, "TEXTS": a.texts or a.data, "GROUP": str(a.group)}
    answer([a.hone, command, a.model, "-o", out, "--quiet", "--json"] + [words.get(o, o) for o in options])
    return out


def cell(loss):
    if loss["relative"] is None:
        return "–"
    return f"{100 * loss['relative']:.2f} [{100 * loss['low']:.2f}, {100 * loss['high']:.2f}]"


def losses(a, model, beams):
    told = answer([a.hone, "eval", model, a.test, "--baseline", a.model, "--num-beams", str(beams), "--json", "--quiet"] + a.generation)
    metrics = [m for m in ("rouge1", "rouge2", "rougeL", "exact", "token_error") if m in told["loss"]]
    mean = [told["loss"][m]["relative"] for m in metrics if m != "token_error"]
    return told, [cell(told["loss"][m]) for m in metrics] + [f"{100 * sum(mean) / len(mean):.3f}"], metrics


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model")
    ap.add_argument("--data", required=True)
    ap.add_argument("--test", required=True)
    ap.add_argument("--texts")
    ap.add_argument("--group", type=int, default=64)
    ap.add_argument("--max-length")
    ap.add_argument("--time-limit", default="10m")
    ap.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    ap.add_argument("--hone", default=hone_path())
    a = ap.parse_args()
    a.generation = ["--max-length", a.max_length] if a.max_length else []
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for name, command, options in ROWS:
            try:
                models.append((name, make(a, folder, name, command, options)))
            except RuntimeError as error:
                say(f"{name}: {error}")
        for goal in ("latency", "memory"):
            out = os.path.join(folder, goal)
            run = subprocess.run([a.hone, "optimize", a.model, "-o", out, "--data", a.data, "--for", goal, "--time-limit", a.time_limit, "--json",
                                  "--cache", os.path.join(folder, "evaluations")] + (["--texts", a.texts] if a.texts else []) + a.generation,
                                 stdout=subprocess.PIPE, text=True)
            told = json.loads(run.stdout)["answer"]
            say(f"for {goal}: {told['sentence']}")
            models.append((f"chosen for {goal}: {told['recipe_text']}", out))
        weights = lambda folder: sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".safetensors")) / 1e6
        whole = weights(a.model)
        for beams in a.beams:
            for number, (name, model) in enumerate(models):
                told, cells, metrics = losses(a, model, beams)
                if not number:
                    print(f"\n{'greedy' if beams == 1 else f'{beams} beams'}, {told['samples']} rows\n\n| | MB | smaller by | " + " | ".join(metrics) +
                          " | mean |\n|---|--:|--:|" + "--:|" * (len(metrics) + 1))
                size = weights(model)
                print(f"| {name} | {size:.2f} | {100 * (1 - size / whole):.1f} % | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
