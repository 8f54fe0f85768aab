#!/usr/bin/env python3
"""BART's tokenizer against the PyPI package `tokenizers`, on one thread, over DialogSum's texts (the demo's where they are not here).

    tokenizer.py [--rounds 5] [--texts N]

Rounds take turns: the package encodes all texts (the faster of encode_batch and a loop over encode, both on one thread), then `hone
tokenize` answers the same texts as JSON lines; reading and writing them, which the package does not do, counts against hone, and the
time to load, measured by tokenizing one line, is taken off. Ids must be equal. Stores tokenizer.json.
"""
import argparse, glob, os, subprocess, time
from common import *

os.environ["TOKENIZERS_PARALLELISM"], os.environ["RAYON_NUM_THREADS"] = "false", "1"
BAR = 2.0


def texts_of():
    files = sorted(glob.glob(os.path.join(SHARED, "data", "dialogsum", "*.jsonl"))) or [os.path.join(ROOT, "demo", "test.jsonl")]
    texts = []
    for path in files:
        for line in open(path, encoding="utf-8"):
            row = json.loads(line)
            texts += [row[k] for k in ("dialogue", "text", "summary") if isinstance(row.get(k), str)]
    return files, texts


def folder_of():
    bart = os.path.join(SHARED, "data", "tokenizers", "bart")
    return bart if os.path.isdir(bart) else os.path.join(ROOT, "demo", "model")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap, rounds=5)
    ap.add_argument("--texts", type=int, help="only the first N")
    a = ap.parse_args()
    import tokenizers
    folder, (files, texts) = folder_of(), texts_of()
    texts = texts[:a.texts]
    package = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    package.no_truncation(), package.no_padding()
    lines = "".join(json.dumps(text) + "\n" for text in texts)

    def seconds(work):
        before = time.perf_counter()
        answer = work()
        return time.perf_counter() - before, answer

    def hone(text):
        return subprocess.run([a.hone, "tokenize", folder, "--threads", "1", "--quiet"], input=text, stdout=subprocess.PIPE, check=True, text=True).stdout

    rounds, first = [], lines[:lines.index("\n") + 1]
    for number in range(a.rounds + 1):  # the first warms up
        say(f"round {number} of {a.rounds}")
        batch, theirs = seconds(lambda: package.encode_batch(texts))
        loop, _ = seconds(lambda: [package.encode(text) for text in texts])
        load, _ = seconds(lambda: hone(first))
        whole, ours = seconds(lambda: hone(lines))
        if number == 0:
            different = sum(json.loads(line)["ids"] != x.ids for line, x in zip(ours.splitlines(), theirs))
            different += abs(len(ours.splitlines()) - len(theirs))
        else:
            rounds.append({"encode_batch_s": batch, "encode_s": loop, "hone_s": whole - load, "hone_load_s": load,
                           "ratio": min(batch, loop) / (whole - load)})
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    ratio = spread([r["ratio"] for r in rounds])
    rate = lambda key: megabytes / statistics.median(r[key] for r in rounds)
    good = ratio["median"] >= BAR and not different
    print("| | MB/s, one thread |\n|---|--:|")
    print(f"| tokenizers {tokenizers.__version__}, encode_batch | {rate('encode_batch_s'):.1f} |\n| the same, encode | {rate('encode_s'):.1f} |")
    print(f"| hone tokenize, JSON lines in and out | {rate('hone_s'):.1f} |\n")
    print(f"{ratio['median']:.2f} times the package [{ratio['low']:.2f}, {ratio['high']:.2f}], bar {BAR:g} {'✓' if good else '✗'}; "
          f"{different} of {len(texts)} texts differ in ids")
    store(a.out, "tokenizer", {"revision": revision(), "machine": machine(a.hone, 1, a.cpu), "package": tokenizers.__version__, "texts": len(texts),
                               "megabytes": megabytes, "files": [os.path.basename(f) for f in files], "different": different, "ratio": ratio,
                               "bar": BAR, "good": good, "rounds": rounds, "mb_per_s": {k: rate(k) for k in ("encode_batch_s", "encode_s", "hone_s")}})


if __name__ == "__main__":
    main()
