# SPDX-License-Identifier: Apache-2.0
"""hone generate --engine ort on what hone export writes, against hone's own engine on MODEL: the same ids for greedy decoding, beams
with a ban and draws with one seed, one at a time and in batches, with the merged decoder and with the two; scores within
--tolerance; and the digests of hone bench over forced lengths.

Usage: python tools/parity/onnx_generate.py MODEL DATA.jsonl [--hone build/hone] [--library FILE] [--limit 100] [--tolerance 1e-4]
                                            [--least-equal N]
Rows of DATA hold a source under dialogue, text or document, or input_ids. ONNX Runtime is the Python package's own library. Both
engines' float32 sums differ in their order, so that ties may part them: --least-equal rows of each run have to be equal (default: all).
Ends with 1 where fewer are, a score is off, or a digest differs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import onnxruntime

RUNS = {
    "greedy": [],
    "greedy, one at a time": ["--batch", "1"],
    "beams": ["--num-beams", "4", "--no-repeat-ngram-size", "3"],
    "three draws": ["--do-sample", "--seed", "5", "--num-return-sequences", "3", "--batch", "3"],
}
failures = []


def say(good, text):
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        failures.append(text)


def rows_read(path, limit):
    for line in open(path, encoding="utf-8"):
        if limit <= 0:
            return
        limit -= 1
        row = json.loads(line)
        if "input_ids" in row:
            yield {"input_ids": row["input_ids"]}
        else:
            yield {"text": next(row[key] for key in ("dialogue", "text", "document") if key in row)}


def generate(a, folder, rows, options):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    run = subprocess.run([a.hone, "generate", str(folder), "--truncate"] + options, input=lines, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"hone generate {folder} {' '.join(options)} ends with {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def sequences(answer):
    return answer.get("sequences", [answer])


def compare(a, name, own, other):
    equal, apart = 0, 0.0
    for x, y in zip(own, other):
        if [s["ids"] for s in sequences(x)] == [s["ids"] for s in sequences(y)]:
            equal += 1
            apart = max([apart] + [abs(s["score"] - t["score"]) / max(1, abs(s["score"])) for s, t in zip(sequences(x), sequences(y))])
    least = len(own) if a.least_equal is None else a.least_equal
    say(len(own) == len(other) and equal >= least and apart <= a.tolerance,
        f"{name}: {equal} of {len(own)} equal, scores within {apart:.1e} of their size")


def digests(a, model, folder):
    found = []
    for options in ([str(model)], [str(folder), "--engine", "ort", "--ort-library", a.library]):
        run = subprocess.run([a.hone, "bench"] + options + ["--batch", "4", "--num-beams", "2", "--new-tokens", "12", "--samples", "8",
                                                            "--warmup", "0", "--runs", "1", "--no-history", "--json", "-q"],
                             stdout=subprocess.PIPE, text=True)
        found.append(json.loads(run.stdout) if run.returncode == 0 else {"engine": f"exit {run.returncode}"})
    say("digest" in found[0] and found[0]["digest"] == found[1].get("digest"),
        "bench: " + ", ".join(f"{f['engine']} {f.get('digest')}" for f in found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--library")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--least-equal", type=int)
    a = parser.parse_args()
    if not a.library:
        found = sorted((pathlib.Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
        a.library = str(found[0]) if found else sys.exit("the onnxruntime package has no library: give --library")
    rows = list(rows_read(a.data, a.limit))
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"merged": "encoder,merged", "pair": "encoder,decoder,decoder_with_past"}
        for layout, parts in folders.items():
            subprocess.run([a.hone, "export", str(a.model), "-o", f"{scratch}/{layout}", "--parts", parts], stdout=subprocess.DEVNULL,
                           check=True)
        for name, options in RUNS.items():
            own = generate(a, a.model, rows, options)
            for layout in folders:
                other = generate(a, f"{scratch}/{layout}", rows, options + ["--engine", "ort", "--ort-library", a.library])
                compare(a, f"{name}, {layout}", own, other)
        for layout in folders:
            digests(a, a.model, f"{scratch}/{layout}")
    sys.exit(1 if failures else 0)


main()
