#!/usr/bin/env python3
"""Writes docs/performance.md and docs/plots/*.svg from the results that the other scripts stored. Every number on the page is one
of theirs; what was not measured is said to be missing.

    page.py [--out FOLDER] [--docs FOLDER]
"""
import argparse, os, shutil, textwrap
import xml.etree.ElementTree as ElementTree
from common import *
import bars

SWEEP_TITLES = {"source-tokens": "Source length", "new-tokens": "Output length", "batch": "Batch", "beams": "Beams", "vocabulary": "Vocabulary",
                "threads": "Threads"}


def load(folder, name):
    path = os.path.join(folder, name + ".json")
    return json.load(open(path)) if os.path.exists(path) else None


def missing(part):
    return [f"Not measured yet: `./dev bench {part}`.", ""]


def plot(a, name, text):
    source = os.path.join(a.out, name + ".svg")
    if not os.path.exists(source):
        return []
    ElementTree.parse(source)  # refuses what is not well-formed
    os.makedirs(os.path.join(a.docs, "plots"), exist_ok=True)
    shutil.copy(source, os.path.join(a.docs, "plots", name + ".svg"))
    return [f"![{text}](plots/{name}.svg)", ""]


def machine_lines(result):
    m = result["machine"]
    one, many = m["peaks"]["one_thread"], m["peaks"]["all_threads"]
    return [f"Measured {result['time'][:10]} at revision `{result['revision']}` with `{result['command'].strip()}`, {result['rounds']} rounds, "
            f"{result['threads']} threads, on {m['processor']}: {m['cores']} cores, kernels `{m['level']}`, {m['memory_gb']} GB, Linux "
            f"{m['kernel']}. `hone cpu --measure` said {one['read_gb_per_s']:g} GB/s, {one['f32_gflops']:g} GFLOP/s and {one['s8_gops']:g} GOP/s "
            f"(INT8) on one thread, {many['read_gb_per_s']:g}, {many['f32_gflops']:g} and {many['s8_gops']:g} on all.", ""]


def bars_lines(a, name, title):
    result = load(a.out, name)
    if not result and name != "bars":
        return []
    lines = [f"## {title}", ""]
    if not result:
        return lines + missing("bars")
    lines += machine_lines(result)
    lines += ["Ratios of time, peer over hone (above 1: hone is faster), median of the rounds [lowest, highest], each over the same sources in "
              "the same round" + (", with hone held to `" + result["held"] + "`" if result["held"] else "") + ":", ""]
    lines += [bars.table(result), ""]
    judged = [v for v in result["verdicts"] if v["good"] is not None]
    return lines + [f"{sum(v['good'] for v in judged)} of {len(judged)} bars are met.", ""]


def waterfall_lines(a):
    result, lines = load(a.out, "waterfall"), ["## From PyTorch's time to hone's", ""]
    if not result:
        return lines + missing("waterfall")
    lines += machine_lines(result) + ["Every bar is a configuration that was measured, all in turn in the same rounds; pale: what the lever saved.", ""]
    for batch, part in result["batches"].items():
        lines += [f"### Batch {batch}", ""] + plot(a, f"waterfall-batch-{batch}", f"Waterfall for batch {batch}")
        lines += ["| | lever | ms per summary, median [low, high] | of the bar above |", "|---|---|--:|--:|"]
        for before, bar in zip([None] + part["bars"], part["bars"]):
            share = f"{bar['value'] / before['value']:.2f}" if before else ""
            lines.append(f"| {bar['label']} | {bar['note']} | {bar['value']:.1f} [{bar['low']:.1f}, {bar['high']:.1f}] | {share} |")
        lines.append("")
    starts = (load(a.out, "bars") or {}).get("start")
    if starts:
        lines += ["The engine cache acts at the start, seconds from process start to the first token, median of five:", "",
                  "| | cold: files not in memory, no cache | from the engine cache |", "|---|--:|--:|"]
        lines += [f"| hone {name} | {s['cold']['median']:.3f} | {s['warm']['median']:.3f} |" for name, s in starts.items()] + [""]
    return lines


def sweep_lines(a):
    result, lines = load(a.out, "sweeps"), ["## How cost grows", ""]
    if not result:
        return lines + missing("sweeps")
    lines += machine_lines(result)
    lines += [f"Milliseconds per summary; {NEW_TOKENS} new tokens, batch 1, greedy, where nothing else is said. Dashed: `limit_ms`.", ""]
    for name, points in result["sweeps"].items():
        lines += [f"### {SWEEP_TITLES[name]}", ""] + plot(a, "sweep-" + name, f"Cost by {SWEEP_TITLES[name].lower()}")
        models = list(dict.fromkeys(p.get("scheme", p["model"]) for p in points))
        lines += ["| " + name + " | " + " | ".join(models) + " |", "|--:|" + "--:|" * len(models)]
        for value in dict.fromkeys(p["value"] for p in points):
            cells = []
            for model in models:
                times = [p["ms_per_sample"] for p in points if p["value"] == value and p.get("scheme", p["model"]) == model]
                cells.append(f"{statistics.median(times):.1f}" if times else "–")
            lines.append(f"| {value:,} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def tokenizer_lines(a):
    result, lines = load(a.out, "tokenizer"), ["## The tokenizer", ""]
    if not result:
        return lines + missing("tokenizer")
    rate, ratio = result["mb_per_s"], result["ratio"]
    return lines + [f"BART's tokenizer over {result['texts']:,} texts of {', '.join(result['files'])} ({result['megabytes']:.1f} MB), one thread, "
                    f"{len(result['rounds'])} rounds in turn (`{result['command'].strip()}`, revision `{result['revision']}`):", "",
                    "| | MB/s |", "|---|--:|", f"| tokenizers {result['package']}, `encode_batch` | {rate['encode_batch_s']:.1f} |",
                    f"| the same, `encode` | {rate['encode_s']:.1f} |", f"| `hone tokenize`, JSON lines in and out | {rate['hone_s']:.1f} |", "",
                    f"**{ratio['median']:.1f}** times the package [{ratio['low']:.1f}, {ratio['high']:.1f}], bar {result['bar']:g}"
                    f"{bars.mark(result['good'])}; {result['different']} texts differ in ids.", ""]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", default=OUT, help="folder of the results")
    ap.add_argument("--docs", default=os.path.join(ROOT, "docs"), help="folder of the page")
    a = ap.parse_args()
    lines = ["# Performance", "",
             "Written by `./dev bench page` from what `./dev bench` measured; no number here was typed. BART-base's shape with random weights "
             f"(speed and memory do not depend on what they say), ids in to ids out, exactly {NEW_TOKENS} new tokens. Peers: torch 2.13.0 with "
             "transformers 4.57.6, CTranslate2 4.8.5, from PyPI. The levers that look at what was generated (a screen of the head, lookup "
             "decoding) are off.", "",
             "`limit_ms` is what the machine allows at best: every step takes at least the time to read its weights (and the keys and values "
             "that exceed the last cache) at the measured bandwidth, and at least the time of its multiplications at the measured peaks.", ""]
    lines += bars_lines(a, "bars", "Against PyTorch and CTranslate2")
    lines += bars_lines(a, "bars-avx2", "The same with AVX2 only")
    lines += waterfall_lines(a) + sweep_lines(a) + tokenizer_lines(a)
    lines += ["## Has it got slower?", "",
              "    ./dev bench --against REV     # pairs of runs, order alternating; exit 1 only where a change is shown",
              "    hone history                  # what was measured here before", "",
              "A change is called only where a studentized bootstrap interval and a sign-flip test over the pairs agree; simulated noise of four "
              "kinds passes for a change in at most one of twenty comparisons (`tests/measure/test_change.c`)."]
    path = os.path.join(a.docs, "performance.md")
    wrap = lambda line: line if line[:1] in ("|", "#", "!", " ", "") else textwrap.fill(line, 130, break_on_hyphens=False, break_long_words=False)
    with open(path, "w") as f:
        f.write("\n".join(wrap(line) for text in lines for line in text.split("\n")) + "\n")
    say("wrote " + path)


if __name__ == "__main__":
    main()
