#!/usr/bin/env python3
"""What a recipe of 4 bits, a trimmed vocabulary and the exact levers gains on BART-base's shape against PyTorch, lever by lever.

    recipe.py [--batches 1 32] [--rounds 3]

The sources are the dialogues of DialogSum's test set that ../shared/bench/workload.jsonl was made of. The vocabulary is trimmed to
DialogSum's training and development texts, which the test texts are not among. Every bar is measured, all of a batch in turn in
the same rounds:

    PyTorch FP32            transformers' generate()
    hone FP32               the same weights
    4 bits                  hone quantize --scheme nf4 --double-quant: tables too
    vocabulary trimmed      hone prune --method vocab, then the same
    K/V int8                --kv-type int8
    head screened           --lm-head-screen, where it is faster (the weights are random, so lookup decoding means nothing here)

Bars: the recipe at batch 1 ten times as fast as PyTorch, with at most a quarter of its peak memory. Stores recipe.json.
"""
import argparse, os, subprocess
from common import *

SAMPLES = {1: 8, 32: 64}
SPEED_BAR, MEMORY_BAR = 10.0, 0.25


def quiet(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def dialogues(path, count=None):
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    return [{"text": row["dialogue"], "summary": row.get("summary", "")} for row in rows[:count]]


def write_lines(path, rows):
    with open(path, "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def make_folders(a):
    """The checkpoint, its 4 bits, its trimmed vocabulary, both together, and the sources as texts."""
    data = os.path.join(SHARED, "data", "dialogsum")
    folders = make_models(a.hone, ["fp32", "q4"])
    texts = write_lines(os.path.join(CACHE, "dialogsum-texts.jsonl"),
                        dialogues(os.path.join(data, "train.jsonl")) + dialogues(os.path.join(data, "dev.jsonl")))
    trimmed, small = folders["fp32"] + "-hone-trimmed", folders["fp32"] + "-hone-trimmed-q4"
    for folder in (trimmed, small):
        quiet("rm", "-rf", folder)
    say("trimming the vocabulary")
    quiet(a.hone, "prune", folders["fp32"], "-o", trimmed, "--method", "vocab", "--data", texts, "--quiet")
    quiet(a.hone, "quantize", trimmed, "-o", small, "--quiet", *SCHEMES["q4"])
    sources = write_lines(os.path.join(CACHE, "dialogsum-sources.jsonl"), dialogues(os.path.join(data, "test.jsonl"), 128))
    return {**folders, "recipe": small, "sources": sources}


def steps(a, folders, batch, samples):
    def ours(folder, *more):
        command = hone_command(a.hone, folders[folder], batch, 1, samples, a.threads, a.cpu, more)
        command[command.index(WORKLOAD)] = folders["sources"]
        return command
    return [("PyTorch FP32", peer_command("torch", folders["fp32"], batch, 1, samples, a.threads)), ("hone FP32", ours("fp32")),
            ("4 bits", ours("q4")), ("vocabulary trimmed", ours("recipe")), ("K/V int8", ours("recipe", "--kv-type", "int8")),
            ("head screened", ours("recipe", "--kv-type", "int8", "--lm-head-screen"))]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    a = ap.parse_args()
    folders = make_folders(a)
    result = {"revision": revision(), "rounds": a.rounds, "threads": a.threads, "machine": machine(a.hone, a.threads, a.cpu), "batches": {}}
    for batch in a.batches:
        samples = a.samples or SAMPLES.get(batch, 2 * batch)
        chain = steps(a, folders, batch, samples)
        answers = take_turns(dict(chain), a.rounds, f"batch {batch}")
        rows, torch = [], answers["PyTorch FP32"]
        print(f"\nbatch {batch}\n\n| | ms, median [low, high] | times PyTorch [low, high] | peak RSS, MB | of PyTorch's | weights, MB | source tokens |\n"
              "|---|--:|--:|--:|--:|--:|--:|")
        for name, _ in chain:
            times, ratio = spread([x["ms_per_sample"] for x in answers[name]]), compare(torch, answers[name])
            peak = statistics.median(x["peak_rss_mb"] for x in answers[name])
            share = peak / statistics.median(x["peak_rss_mb"] for x in torch)
            last = answers[name][-1]
            rows.append({"label": name, "ms": times, "ratio": ratio, "peak_rss_mb": peak, "share": share, "weights_mb": last["weights_mb"],
                         "source_tokens": last["source_tokens"]})
            print(f"| {name} | {times['median']:.1f} [{times['low']:.1f}, {times['high']:.1f}] | {ratio['median']:.2f} "
                  f"[{ratio['min']:.2f}, {ratio['max']:.2f}] | {peak:.0f} | {100 * share:.0f} % | {last['weights_mb']:.1f} | {last['source_tokens']} |")
        result["batches"][batch] = {"samples": samples, "rows": rows, "answers": answers}
        if batch == 1:
            best = max(rows[3:], key=lambda row: row["ratio"]["median"])
            good = best["ratio"]["median"] >= SPEED_BAR and best["share"] <= MEMORY_BAR
            print(f"\nThe recipe at batch 1 ({best['label']}): {best['ratio']['median']:.1f} times, bar {SPEED_BAR:g}; {100 * best['share']:.0f} % of the "
                  f"memory, bar {100 * MEMORY_BAR:g} %: {'met' if good else 'missed'}")
    store(a.out, "recipe", result)


if __name__ == "__main__":
    main()
