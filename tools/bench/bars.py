#!/usr/bin/env python3
"""Measures hone against PyTorch and CTranslate2 on BART-base's shape with random weights, and tells which bars are met.

    bars.py [--rows b1-greedy b1-beam4 b32-greedy b8-beam4] [--columns ct2-int8 torch-int8 torch-q4 ct2-fp32] [--rounds 3]
            [--cpu avx2] [--skip-start]

In each row all engines of the columns take turns, A B C D A B C D ..., one process and one pass over the sources at a time, with
the same sources, 2 threads and exactly 40 new tokens. Ratios are the peer's milliseconds over hone's, round by round, their median by
../shared/bench/compare.py. FP32 engines must generate the same tokens. Prints a table in Markdown, stores everything as bars.json.
"""
import argparse, os, subprocess, sys, tempfile, time
from common import *

ROWS = {"b1-greedy": ("batch 1, greedy", 1, 1, 8), "b1-beam4": ("batch 1, beam 4", 1, 4, 8), "b32-greedy": ("batch 32, greedy", 32, 1, 64),
        "b8-beam4": ("batch 8, beam 4", 8, 4, 16)}  # name: title, batch, beams, sources
COLUMNS = {"ct2-int8": ("CTranslate2 INT8 / hone INT8", "ct2-int8", "int8"), "torch-int8": ("PyTorch FP32 / hone INT8", "torch", "int8"),
           "torch-q4": ("PyTorch FP32 / hone 4 bits", "torch", "q4"), "ct2-fp32": ("CTranslate2 FP32 / hone FP32", "ct2", "fp32")}
BARS = {"b1-greedy": {"ct2-int8": 2.0, "torch-int8": 4.8, "torch-q4": 7.5, "ct2-fp32": 1.4},
        "b1-beam4": {"ct2-int8": 1.8, "torch-int8": 8, "torch-q4": 9, "ct2-fp32": 1.6},
        "b32-greedy": {"ct2-int8": 2.5, "torch-int8": 4.3, "torch-q4": 4.3, "ct2-fp32": 1.7},
        "b8-beam4": {"ct2-int8": 2.2, "torch-int8": 8, "torch-q4": 8, "ct2-fp32": 1.5}}
LIMIT_BAR = 1.35                         # time over limit_ms at batch 1
PEAK_BARS = {"int8": 240, "q4": 190}     # MB at batch 1
START_BARS = {"cold": 0.7, "warm": 0.15} # seconds


def bar(row, column, vnni, held):
    """The ratio asked for, or None where none is: without VNNI others hold, and none for kernels held below the machine's."""
    table = BARS[row][column]
    if held:
        return None
    if vnni or column == "ct2-fp32":
        return table
    if column == "ct2-int8":
        return 3.0 if row == "b1-greedy" else round(0.9 * table, 3)
    return table if ROWS[row][1] == 1 else None


def measure_row(a, row, columns, folders):
    title, batch, beams, samples = ROWS[row]
    samples = a.samples or samples
    commands = {}
    for column in columns:
        _, peer, model = COLUMNS[column]
        commands[peer] = peer_command(peer, folders["fp32"], batch, beams, samples, a.threads)
        commands["hone " + model] = hone_command(a.hone, folders[model], batch, beams, samples, a.threads, a.cpu)
    answers = take_turns(commands, a.rounds, title)
    cells = {}
    for column in columns:
        _, peer, model = COLUMNS[column]
        cells[column] = compare(answers[peer], answers["hone " + model])
    fp32 = {name: {x["digest"] for x in answers[name]} for name in ("torch", "ct2", "hone fp32") if name in answers}
    return {"title": title, "batch": batch, "beams": beams, "samples": samples, "answers": answers, "cells": cells,
            "fp32_digests": {name: sorted(digests) for name, digests in fp32.items()}}


def start_seconds(a, model, cold):
    """From process start to exit with the first token out. Cold: no engine cache, the model's files out of the page cache."""
    source = json.dumps({"input_ids": max((json.loads(line)["input_ids"] for line in open(WORKLOAD)), key=len)[:333]})
    command = [a.hone, "generate", model, "--max-new-tokens", "1", "--min-new-tokens", "1", "--batch", "1", "--threads", str(a.threads)]
    command += ["--cpu", a.cpu] if a.cpu else []
    times = []
    with tempfile.TemporaryDirectory(dir=CACHE) as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache}

        def once():
            before = time.perf_counter()
            subprocess.run(command, input=source, text=True, env=environment, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - before
        if not cold:
            once(), once()
        for _ in range(5):
            if cold:
                subprocess.run(["rm", "-rf", cache], check=True)
                os.makedirs(cache)
                for name in os.listdir(model):
                    with open(os.path.join(model, name), "rb") as f:
                        os.fsync(f.fileno())
                        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            times.append(once())
    return spread(times)


def mark(good):
    return "" if good is None else " ✓" if good else " ✗"


def verdicts(result):
    """Every bar with what was measured: [{what, bar, measured, good}]."""
    vnni, held, found = result["machine"]["vnni"], bool(result["held"]), []
    for row, r in result["rows"].items():
        for column, cell in r["cells"].items():
            wanted = bar(row, column, vnni, held)
            found.append({"kind": "ratio", "row": row, "column": column, "bar": wanted, "measured": cell["median"],
                          "good": None if wanted is None else cell["median"] >= wanted})
        for name, answers in r["answers"].items():
            if not name.startswith("hone"):
                continue
            model = name.split()[1]
            ratio = statistics.median(x["ms_per_sample"] / x["limit_ms"] for x in answers)
            found.append({"kind": "limit", "row": row, "model": model, "bar": LIMIT_BAR if r["batch"] == 1 else None,
                          "measured": round(ratio, 3), "good": ratio <= LIMIT_BAR if r["batch"] == 1 else None})
            if r["batch"] == 1 and r["beams"] == 1 and model in PEAK_BARS:
                peak = statistics.median(x["peak_rss_mb"] for x in answers)
                found.append({"kind": "peak_mb", "row": row, "model": model, "bar": PEAK_BARS[model], "measured": round(peak, 1),
                              "good": peak <= PEAK_BARS[model]})
        digests = set().union(*r["fp32_digests"].values()) if len(r["fp32_digests"]) > 1 else None
        if digests:
            found.append({"kind": "digest", "row": row, "bar": "equal", "measured": " ".join(sorted(digests)), "good": len(digests) == 1})
    for name, times in result.get("start", {}).items():
        for state, seconds in times.items():
            found.append({"kind": "start_s", "model": name, "state": state, "bar": START_BARS[state],
                          "measured": round(seconds["median"], 3), "good": seconds["median"] <= START_BARS[state]})
    return found


def table(result):
    """The Markdown: ratios with their spread and bars, times with limits, and the other bars."""
    lines, rows = [], result["rows"]
    columns = [c for c in COLUMNS if any(c in r["cells"] for r in rows.values())]
    found = {(v["row"], v["column"]): v for v in result["verdicts"] if v["kind"] == "ratio"}
    lines += ["| | " + " | ".join(COLUMNS[c][0] for c in columns) + " |", "|---|" + "--:|" * len(columns)]
    for row, r in rows.items():
        cells = []
        for c in columns:
            cell, v = r["cells"].get(c), found.get((row, c))
            wanted = "" if not v or v["bar"] is None else f", bar {v['bar']:g}"
            cells.append(f"**{cell['median']:.2f}** [{cell['min']:.2f}, {cell['max']:.2f}]{wanted}{mark(v['good'])}" if cell else "–")
        lines.append(f"| {r['title']} | " + " | ".join(cells) + " |")
    engines = list(dict.fromkeys(name for r in rows.values() for name in r["answers"]))
    lines += ["", "Milliseconds per summary, median [low, high]; in brackets behind hone's the time over its `limit_ms`:", "",
              "| | " + " | ".join(engines) + " |", "|---|" + "--:|" * len(engines)]
    limits = {(v["row"], v["model"]): v for v in result["verdicts"] if v["kind"] == "limit"}
    for row, r in rows.items():
        cells = []
        for name in engines:
            if name not in r["answers"]:
                cells.append("–")
                continue
            s, v = spread([x["ms_per_sample"] for x in r["answers"][name]]), limits.get((row, name.split()[-1])) if name.startswith("hone") else None
            cells.append(f"{s['median']:.1f} [{s['low']:.1f}, {s['high']:.1f}]" + (f" ({v['measured']:.2f}{mark(v['good'])})" if v else ""))
        lines.append(f"| {r['title']} | " + " | ".join(cells) + " |")
    lines += ["", "Peak memory, MB:", "", "| | " + " | ".join(engines) + " |", "|---|" + "--:|" * len(engines)]
    for row, r in rows.items():
        peaks = [f"{statistics.median(x['peak_rss_mb'] for x in r['answers'][n]):.0f}" if n in r["answers"] else "–" for n in engines]
        lines.append(f"| {r['title']} | " + " | ".join(peaks) + " |")
    others = [v for v in result["verdicts"] if v["kind"] in ("peak_mb", "start_s", "digest")]
    if others:
        lines += ["", "| other bars | bar | measured | |", "|---|--:|--:|---|"]
        for v in others:
            what = {"peak_mb": "peak MB at batch 1, ", "start_s": f"start to first token, seconds, {v.get('state')}, ",
                    "digest": "FP32 engines generate the same tokens, "}[v["kind"]] + (v.get("model") or ROWS[v["row"]][0])
            lines.append(f"| {what} | {v['bar']} | {v['measured']} |{mark(v['good'])} |")
    return "\n".join(lines)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    ap.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    ap.add_argument("--skip-start", action="store_true", help="without the time from start to first token")
    a = ap.parse_args()
    result = {"revision": revision(), "held": a.cpu, "rounds": a.rounds, "threads": a.threads, "new_tokens": NEW_TOKENS,
              "machine": machine(a.hone, a.threads, a.cpu), "rows": {}}
    models = {COLUMNS[c][2] for c in a.columns}
    folders = make_models(a.hone, sorted(models | {"fp32"}))
    for row in a.rows:
        result["rows"][row] = measure_row(a, row, a.columns, folders)
    if not a.skip_start:
        say("start to first token")
        result["start"] = {name: {"cold": start_seconds(a, folders[name], True), "warm": start_seconds(a, folders[name], False)}
                           for name in ("int8", "q4") if name in models}
    result["verdicts"] = verdicts(result)
    print(table(result))
    judged = [v for v in result["verdicts"] if v["good"] is not None]
    print(f"\n{sum(v['good'] for v in judged)} of {len(judged)} bars met")
    store(a.out, "bars" + (f"-{a.cpu}" if a.cpu else ""), result)


if __name__ == "__main__":
    main()
