#!/usr/bin/env python3
"""From PyTorch's time to hone's, lever by lever, for batch 1 and batch 32, on BART-base's shape.

    waterfall.py [--batches 1 32] [--rounds 3]

Every bar is a configuration that was measured, all of a batch in turn in the same rounds; nothing is computed by subtraction:

    PyTorch FP32        transformers' generate(), sources padded to the longest of the batch
    hone FP32, filled   overhead: hone computes as many source positions as PyTorch does (--fill: sources repeated up to the longest)
    hone FP32           padding: only the tokens that are there
    hone FP16 weights   bytes
    hone INT8           bytes and arithmetic
    hone 4 bits         bytes

and, apart, the start: time to the first token without and with the engine cache, by bars.py. Stores waterfall.json and the pictures
waterfall-batch-N.svg.
"""
import argparse, os, subprocess
from common import *

SAMPLES = {1: 8, 32: 64}


def steps(a, folders, batch, samples):
    ours = lambda name, *more: hone_command(a.hone, folders[name], batch, 1, samples, a.threads, a.cpu, more)
    chain = [("PyTorch FP32", "eager, padded", peer_command("torch", folders["fp32"], batch, 1, samples, a.threads))]
    if batch > 1:
        chain.append(("hone FP32, filled", "overhead", ours("fp32", "--fill")))
    chain += [("hone FP32", "padding" if batch > 1 else "overhead", ours("fp32")), ("hone FP16 weights", "bytes", ours("fp16")),
              ("hone INT8", "bytes, arithmetic", ours("int8")), ("hone 4 bits", "bytes", ours("q4"))]
    return chain


def draw(hone, path, spec):
    with open(path + ".json", "w") as f:
        json.dump(spec, f)
    subprocess.run([hone, "plot", path + ".json", "-o", path + ".svg"], check=True)
    os.remove(path + ".json")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    folders = make_models(a.hone, list(SCHEMES))
    result = {"revision": revision(), "rounds": a.rounds, "threads": a.threads, "machine": machine(a.hone, a.threads, a.cpu), "batches": {}}
    for batch in a.batches:
        samples = a.samples or SAMPLES.get(batch, 2 * batch)
        chain = steps(a, folders, batch, samples)
        answers = take_turns({name: command for name, _, command in chain}, a.rounds, f"batch {batch}")
        bars = []
        for name, lever, _ in chain:
            times = spread([x["ms_per_sample"] for x in answers[name]])
            bars.append({"label": name, "note": lever, "value": times["median"], "low": times["low"], "high": times["high"]})
        draw(a.hone, os.path.join(a.out, f"waterfall-batch-{batch}"),
             {"kind": "waterfall", "title": f"From PyTorch's time to hone's, batch {batch}, greedy",
              "description": "Milliseconds per summary of each configuration, median of the rounds with the fastest and the slowest: "
                             + "; ".join(f"{b['label']} {b['value']:.1f}" for b in bars), "axis": "milliseconds per summary", "bars": bars})
        result["batches"][batch] = {"samples": samples, "bars": bars, "answers": answers}
        print(f"\nbatch {batch}\n\n| | lever | ms, median [low, high] | times the bar above |\n|---|---|--:|--:|")
        for before, bar in zip([None] + bars, bars):
            print(f"| {bar['label']} | {bar['note']} | {bar['value']:.1f} [{bar['low']:.1f}, {bar['high']:.1f}] | "
                  + (f"{bar['value'] / before['value']:.2f} |" if before else "|"))
    store(a.out, "waterfall", result)


if __name__ == "__main__":
    main()
