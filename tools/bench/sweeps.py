#!/usr/bin/env python3
"""How hone's cost grows: source length, output length, batch, beams, vocabulary and threads, one plot each.

    sweeps.py [--only batch beams ...] [--models fp32 int8 q4] [--rounds 3]

All but the vocabulary are sweeps of `hone bench` (models in turn at each point; --rounds passes over the sources give the spread;
one pass for the batch, whose points are 128 summaries each).
For the vocabulary, checkpoints of three sizes are made, each measured in every scheme. Stores sweeps.json and sweep-NAME.svg.
"""
import argparse, os, subprocess, sys, tempfile
from common import *

# name: the sweep (None: all threads of this machine), sources
SWEEPS = {"source-tokens": ("source-tokens=64..1024", 4), "new-tokens": ("new-tokens=10..160", 4), "batch": ("batch=1..128", 128),
          "beams": ("beams=1..8", 4), "threads": (None, 4)}
VOCABULARIES = [8000, 16000, 30000, 50265]


def bench(a, folders, sweep, samples, svg):
    words = [a.hone, "bench", *folders, "--workload", WORKLOAD, "--sweep", sweep, "--samples", str(samples), "--warmup", "1", "--passes",
             str(1 if sweep.startswith("batch") else a.rounds), "--threads", str(a.threads), "--json", "--quiet", "--svg", svg]
    words += [] if sweep.startswith("new-tokens") else ["--new-tokens", str(NEW_TOKENS)]
    words += ["--cpu", a.cpu] if a.cpu else []
    out = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def cut_vocabulary(checkpoint, size):
    """The checkpoint with only the first `size` words."""
    from safetensors.numpy import load_file, save_file
    folder = f"{checkpoint}-v{size}"
    if not os.path.exists(os.path.join(folder, "config.json")):
        os.makedirs(folder, exist_ok=True)
        tensors = load_file(os.path.join(checkpoint, "model.safetensors"))
        tensors["model.shared.weight"] = tensors["model.shared.weight"][:size].copy()
        tensors["final_logits_bias"] = tensors["final_logits_bias"][:, :size].copy()
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        config = json.load(open(os.path.join(checkpoint, "config.json")))
        json.dump({**config, "vocab_size": size}, open(os.path.join(folder, "config.json"), "w"))
    return folder


def vocabulary_sweep(a):
    """Sources are the workload's ids modulo the smallest vocabulary, above the special ones, so that all models do the same work."""
    checkpoint, points = make_checkpoint(), []
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        small = os.path.join(folder, "workload.jsonl")
        with open(small, "w") as f:
            for line in list(open(WORKLOAD))[:4]:
                ids = json.loads(line)["input_ids"]
                f.write(json.dumps({"input_ids": [4 + i % (VOCABULARIES[0] - 4) for i in ids]}) + "\n")
        for size in VOCABULARIES:
            source = cut_vocabulary(checkpoint, size)
            models = []
            for name in a.models:
                model = source if not SCHEMES[name] else os.path.join(folder, name)
                if SCHEMES[name]:
                    subprocess.run(["rm", "-rf", model], check=True)
                    subprocess.run([a.hone, "quantize", source, "-o", model, "--quiet"] + SCHEMES[name], check=True, stdout=subprocess.DEVNULL)
                models.append(model)
            for round_number in range(a.rounds):
                say(f"vocabulary {size}, round {round_number + 1} of {a.rounds}")
                words = [a.hone, "bench", *models, "--workload", small, "--new-tokens", str(NEW_TOKENS), "--warmup", "1", "--runs", "1",
                         "--threads", str(a.threads), "--json", "--quiet"] + (["--cpu", a.cpu] if a.cpu else [])
                out = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
                for name, line in zip(a.models, out.splitlines()):
                    points.append({**json.loads(line), "scheme": name, "sweep": "vocabulary", "value": size})
    return points


def draw_vocabulary(a, points, path):
    series = []
    for name in a.models:
        rows = []
        for size in VOCABULARIES:
            times = spread([p["ms_per_sample"] for p in points if p["scheme"] == name and p["value"] == size])
            rows.append([size, times["median"], times["low"], times["high"]])
        series.append({"name": "hone " + name, "points": rows})
    spec = {"kind": "lines", "title": "Cost of a summary by vocabulary, words", "description": "Milliseconds per summary, median of the rounds "
            "with the fastest and the slowest.", "x": {"label": "vocabulary, words"}, "y": {"label": "ms per summary"}, "series": series}
    with open(path + ".json", "w") as f:
        json.dump(spec, f)
    subprocess.run([a.hone, "plot", path + ".json", "-o", path], check=True)
    os.remove(path + ".json")


def main():
    names = list(SWEEPS) + ["vocabulary"]
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--only", nargs="+", choices=names, default=names)
    ap.add_argument("--models", nargs="+", choices=SCHEMES, default=["fp32", "int8", "q4"])
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    folders = make_models(a.hone, a.models)
    result = {"revision": revision(), "rounds": a.rounds, "threads": a.threads, "machine": machine(a.hone, a.threads, a.cpu), "sweeps": {}}
    for name in a.only:
        svg = os.path.join(a.out, f"sweep-{name}.svg")
        if name == "vocabulary":
            points = vocabulary_sweep(a)
            draw_vocabulary(a, points, svg)
        else:
            sweep, samples = SWEEPS[name]
            samples = a.samples or samples
            sweep = sweep or f"threads=1..{os.cpu_count()}"
            say(f"sweep {sweep}")
            points = bench(a, [folders[m] for m in a.models], sweep, samples, svg)
        result["sweeps"][name] = points
        for p in points:
            print(f"{name} {p['value']:>6}  {p['model']:<28} {p['ms_per_sample']:9.2f} ms, limit {p['limit_ms']:.2f}")
    store(a.out, "sweeps", result)


if __name__ == "__main__":
    main()
