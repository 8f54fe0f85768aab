#!/usr/bin/env python3
"""Measures hone against PyTorch on BART-base's shape with random weights, on the work of the shared benchmark folder.

    bart_base.py HONE SHARED_BENCH WORK_FOLDER [--rounds 3] [--cells ...]

Each cell runs both engines in turn, A B A B ..., with 2 threads and 40 forced tokens, and prints one JSON line: the ratio of
milliseconds per summary (peer over hone: above 1 means hone is faster), minimum, median and maximum over the rounds, and both
engines' memory. The digests of both must agree, FP32 against FP32: the same tokens were generated.
"""
import argparse, json, os, statistics, subprocess, sys

CELLS = {  # name: peer engine, hone model, batch, beams, samples
    "fp32-b1-greedy": ("torch", "fp32", 1, 1, 8),
    "fp32-b1-beam4": ("torch", "fp32", 1, 4, 8),
    "fp32-b32-greedy": ("torch", "fp32", 32, 1, 32),
    "fp32-b8-beam4": ("torch", "fp32", 8, 4, 16),
    "fp32-b32-beam4": ("torch", "fp32", 32, 4, 32),
    "int8-b1-greedy": ("torch-int8", "int8", 1, 1, 8),
    "ct2-int8-b1-greedy": ("ct2-int8", "int8", 1, 1, 8),
    "ct2-int8-b1-beam4": ("ct2-int8", "int8", 1, 4, 8),
    "ct2-int8-b32-greedy": ("ct2-int8", "int8", 32, 1, 32),
    "ct2-int8-b8-beam4": ("ct2-int8", "int8", 8, 4, 16),
}


def last_json(command):
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])


def models(a):
    fp32, int8 = os.path.join(a.work, "bart-base"), os.path.join(a.work, "bart-base-int8")
    if not os.path.exists(os.path.join(fp32, "config.json")):
        subprocess.run([sys.executable, os.path.join(a.shared, "make_model.py"), "--shape", "bart-base", "--out", fp32], check=True)
    if not os.path.exists(os.path.join(int8, "hone.json")):
        subprocess.run([a.hone, "quantize", fp32, "-o", int8, "--scheme", "int8", "--quiet"], check=True)
    return {"fp32": fp32, "int8": int8}


def cell(a, name, folders):
    engine, model, batch, beams, samples = CELLS[name]
    peer = [sys.executable, os.path.join(a.shared, "peer.py"), "--engine", engine, "--model", folders["fp32"], "--batch", str(batch),
            "--beams", str(beams), "--new", "40", "--samples", str(samples), "--threads", "2"]
    ours = [a.hone, "bench", folders[model], "--workload", os.path.join(a.shared, "workload.jsonl"), "--batch", str(batch),
            "--num-beams", str(beams), "--new-tokens", "40", "--samples", str(samples), "--warmup", "1", "--runs", "1",
            "--threads", "2", "--json"]
    rounds = [(last_json(peer), last_json(ours)) for _ in range(a.rounds)]
    ratios = sorted(p["ms_per_sample"] / h["ms_per_sample"] for p, h in rounds)
    pick = lambda side, key: round(statistics.median(r[side][key] for r in rounds), 1)
    print(json.dumps({
        "cell": name, "peer": engine, "peer_ms": pick(0, "ms_per_sample"), "hone_ms": pick(1, "ms_per_sample"),
        "ratio_min": round(ratios[0], 2), "ratio": round(statistics.median(ratios), 2), "ratio_max": round(ratios[-1], 2),
        "limit_ms": pick(1, "limit_ms"), "peer_peak_rss_mb": pick(0, "peak_rss_mb"), "hone_peak_rss_mb": pick(1, "peak_rss_mb"),
        "hone_load_ms": pick(1, "load_ms"), "same_tokens": all(p["digest"] == h["digest"] for p, h in rounds)}), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("hone"), ap.add_argument("shared"), ap.add_argument("work")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--cells", nargs="*", default=[c for c in CELLS if not c.startswith("ct2")])
    a = ap.parse_args()
    folders = models(a)
    for name in a.cells:
        cell(a, name, folders)


main()
