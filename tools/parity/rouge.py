#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds `hone rouge` against the PyPI package rouge_score (0.1.2) at scale.

    tools/parity/rouge.py HONE DATA [--train N]

HONE is the program, DATA a folder with train.jsonl, dev.jsonl and test.jsonl in DialogSum's layout (`dialogue`, `summary`
or `summaries`). Predictions are made from the references by cutting, shuffling, repeating and re-breaking lines, seeded.
Compares every precision, recall and F of rouge1..4, L and Lsum, with and without stemming, with one and with several
targets, and the mean of --aggregate; the unicode and char tokenizers against the same scorer with a Python tokenizer of
the same definition. Prints the largest difference of each part and exits 1 if one reaches 1e-6. All words of the data go
through the stemmer, each paired with a text that has the stem NLTK gives it, so that a wrong stem costs the whole score.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys

import numpy
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

TYPES = ["rouge1", "rouge2", "rouge3", "rouge4", "rougeL", "rougeLsum"]
MEASURES = ["precision", "recall", "fmeasure"]


class UnicodeTokenizer:
    """Runs of letters and digits of any script, in lower case."""

    def tokenize(self, text):
        return [run.lower() for run in re.findall(r"[^\W_]+", text)]


class CharTokenizer:
    """Every character but white space."""

    def tokenize(self, text):
        return [c for c in text if not c.isspace()]


def rows_read(path, limit=None):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(limit or 10**9), lines)]


def prediction_make(rng, text, other):
    """A text that shares much with `text`: what systems and hostile users write."""
    words = text.split()
    kind = rng.randrange(7)
    if kind == 0:
        words = words[: rng.randrange(len(words) + 1)]
    elif kind == 1:
        rng.shuffle(words)
    elif kind == 2:
        words = [w for w in words if rng.random() < 0.7]
    elif kind == 3:
        words = words + words[:: max(1, rng.randrange(1, 5))]
    elif kind == 4:
        words = other.split()
    elif kind == 5:
        words = [w for pair in zip(words, other.split()) for w in pair]
    return "".join(w + ("\n" if rng.random() < 0.12 else " ") for w in words)


def lines_break(rng, text):
    """The text with newlines after sentences and now and then elsewhere."""
    text = re.sub(r"(?<=[.?!]) ", "\n", text)
    return re.sub(r" ", lambda _: "\n" if rng.random() < 0.05 else " ", text)


def hone_rouge(hone, pairs, *options):
    lines = "".join(json.dumps({"target": t, "prediction": p}, ensure_ascii=False) + "\n" for t, p in pairs)
    done = subprocess.run([hone, "rouge", *options], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def largest_difference(hone, pairs, options, scorer):
    answers = hone_rouge(hone, pairs, "--types", ",".join(TYPES), *options)
    assert len(answers) == len(pairs), (len(answers), len(pairs))
    worst, expected_all = 0.0, []
    for (target, prediction), answer in zip(pairs, answers):
        targets = target if isinstance(target, list) else [target]
        expected = scorer.score_multi(targets, prediction)
        expected_all.append(expected)
        for kind in TYPES:
            for measure in MEASURES:
                difference = abs(getattr(expected[kind], measure) - answer[kind][measure])
                if difference > worst:
                    worst = difference
                if difference >= 1e-6:
                    print(f"  {kind} {measure}: {answer[kind][measure]} for {expected[kind]}: {target!r} / {prediction!r}")
    return worst, expected_all


def aggregate_difference(hone, pairs, options, expected_all):
    (answer,) = hone_rouge(hone, pairs, "--types", ",".join(TYPES), "--aggregate", *options)
    assert answer["samples"] == len(pairs)
    worst = 0.0
    for kind in TYPES:
        for measure in MEASURES:
            values = [getattr(e[kind], measure) for e in expected_all]
            got = answer[kind][measure]
            worst = max(worst, abs(numpy.mean(values) - got["mean"]))
            assert got["low"] <= got["mid"] <= got["high"], got
            # A 95 % interval of the mean is about 1.96 standard errors to each side; 1000 resamples know it to about 10 %.
            width = 2 * 1.96 * numpy.std(values) / len(values) ** 0.5
            assert abs(got["high"] - got["low"] - width) <= 0.2 * width + 1e-12, (kind, measure, got, width)
    return worst


def stem_partner(stemmer, word, stem):
    """A text that `hone rouge --stem` sees as `stem`: the stem itself where stemming leaves it alone, else another word."""
    tails = ["", "s", "ed", "ing", "er", "e", "ly", "able", "ation", "ment", "al", "ive", "ational"]
    return next((stem + t for t in tails if stem + t != word and (len(stem + t) <= 3 or stemmer.stem(stem + t) == stem)), None)


def stemmer_differences(hone, words):
    stemmer = PorterStemmer()
    stems = {w: stemmer.stem(w) for w in sorted(words) if len(w) > 3}
    pairs = [(stem_partner(stemmer, w, s), w) for w, s in stems.items()]
    told = [(t, w) for t, w in pairs if t is not None]
    answers = hone_rouge(hone, told, "--types", "rouge1", "--stem")
    wrong = [w for (_, w), a in zip(told, answers) if a["rouge1"]["fmeasure"] != 1]
    print(f"stemmer: {len(told)} of {len(stems)} words judged, {len(wrong)} differ {wrong[:10]}")
    return len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=3000, help="rows of train.jsonl to take")
    args = parser.parse_args()
    rng = random.Random(7)
    test = rows_read(args.data / "test.jsonl")
    rows = rows_read(args.data / "dev.jsonl") + rows_read(args.data / "train.jsonl", args.train)
    references = [r["summary"] for r in rows] + [s for r in test for s in r["summaries"]]
    single = [(lines_break(rng, t), prediction_make(rng, t, rng.choice(references))) for t in references]
    multi = [([lines_break(rng, s) for s in r["summaries"]], prediction_make(rng, r["summaries"][0], r["summaries"][1]))
             for r in test]
    long = [(r["dialogue"], prediction_make(rng, r["dialogue"], rng.choice(rows)["dialogue"])) for r in rows[:300]]
    failed = 0
    for stem in (False, True):
        options = ["--stem"] if stem else []
        scorer = rouge_scorer.RougeScorer(TYPES, use_stemmer=stem)
        for name, pairs in (("single", single), ("multi-reference", multi), ("dialogues", long)):
            worst, expected = largest_difference(args.hone, pairs, options, scorer)
            mean = aggregate_difference(args.hone, pairs, options, expected)
            print(f"{name}{', stemmed' if stem else ''}: {len(pairs)} pairs, largest difference {worst:.3g}, of means {mean:.3g}")
            failed += worst >= 1e-6 or mean >= 1e-6
    for name, tokenizer in (("unicode", UnicodeTokenizer()), ("char", CharTokenizer())):
        scorer = rouge_scorer.RougeScorer(TYPES, tokenizer=tokenizer)
        worst, _ = largest_difference(args.hone, multi, ["--tokenizer", name], scorer)
        print(f"tokenizer {name}: {len(multi)} pairs, largest difference {worst:.3g}")
        failed += worst >= 1e-6
    texts = references + [r["dialogue"] for r in rows + test]
    texts += [text for r in rows_read(args.data / "train.jsonl") for text in (r["dialogue"], r["summary"])]
    words = set(re.findall(r"[a-z0-9]+", " ".join(texts).lower()))
    failed += stemmer_differences(args.hone, words) > 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
