#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/measure/golden: what rouge_score 0.1.2, NLTK's PorterStemmer and numpy answer to inputs of our own.

    pip install rouge_score numpy
    tools/goldens/measure/rouge.py [FOLDER]

rouge.jsonl       {"target": [texts], "prediction": text, "plain"|"stemmed": {type: [precision, recall, fmeasure]}}
stems.txt         word and stem, one pair a line
statistics.jsonl  series with percentiles, the bootstrap interval and the paired loss over 20,000 resamples
"""
import json
import pathlib
import random
import sys

import numpy
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

TYPES = [f"rouge{n}" for n in range(1, 10)] + ["rougeL", "rougeLsum"]

SENTENCES = [
    "Mira asks Tom to bring the blue tent, two lamps and a rope on Friday at 6:45 pm.",
    "Tom agrees to bring the tent and the lamps; the rope is still at Mira's uncle's farm.",
    "The plumber will be arriving between nine and eleven, and charges 75.50 for repairing the boiler.",
    "Repairs of the boiler were charged at 75.50, the plumber arrived at eleven.",
    "no no no yes no no yes yes no",
    "yes no yes no yes no",
    "Traditionally, organizations' relational databases were conditionally normalized by rational operators.",
    "The organizer's relation to the conditional operation is normal, traditionally speaking.",
    "Flying skies, dying news, tying innings; she succeeds, he proceeded, they exceed.",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "z y x w v u t s r q p o n m l k j i h g f e d c b a",
    "A-1 b_2 C.3 4d5 #Person1#: it's 100% O'Neil's co-op (e.g. re-entry)",
    "person1 it s 100 o neil s co op e g re entry a 1 b 2 c 3 4d5",
    "\u212Aelvin \u0130stanbul caf\u00e9 na\u00efve stra\u00dfe \u03a3\u03a3 \uff21\uff22 \u2460 x\u00b2 5\u00bd",
    "kelvin i stanbul caf na ve strae x 5",
    "\ub0b4\uc77c \uc624\uc804 10\uc2dc\uc5d0 \ub9cc\ub098\uc694. OK?",
    "ok 10",
    "one\ttwo\u00a0three\u2003four\u200bfive\x0bsix\x0cseven\x1ceight\x85nine\u2028ten",
    "one two three four five six seven eight nine ten",
    "",
    " \n \t\n",
    "...!?--",
    "same",
    "Same.",
]

LINES = [
    ("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"),
    ("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5"),
    ("first line here\n\n\nsecond line there\n", "second line here\nfirst there"),
    ("a b a b\na b", "b a\nb a b\na"),
    ("only\nwords\non\nlines", "lines on words only"),
    ("\n\n", "a\nb"),
    ("x x x x\nx x", "x x x\nx"),
    ("ran running runs\nrunner", "run\nrunners run ran"),
]

STARTS = ("act agree bath bl bus car cit commun cr d dec dr elect en f fall feed fil fizz form gener h hap hiss hop iv j kn l lov "
          "m mot n nat obl op or ox pl pr qu r rat relat s sens sh sk sp st str syll t tann tr troub u val vi w wr x y yy z "
          "archaeo geo theo philo enjo pla bo 1 2b").split()
ENDS = ("s ss sses ies ied eed ed ing ings y ly ational tional enci anci izer bli abli alli entli eli ousli ization ation ator "
        "alism iveness fulness ousness aliti iviti biliti fulli fully logi logy icate ative alize iciti ical ful ness al ance "
        "ence er ic able ible ant ement ment ent sion tion ion ou ism ate iti ous ive ize e ll lle ated bled ized ling tting "
        "nned zzed oed yed ationally izationally ationalli").split()
IRREGULAR = ("sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed "
             "die dies died lie tie ties flies fly spied spy try tried enjoy enjoyment happy happily day days by say gas this "
             "caress ponies cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling "
             "hissing fizzed failing filing relational conditional rational valency hesitancy digitizer conformably radically "
             "differently vilely analogously vietnamization predication operator feudalism decisiveness hopefulness callousness "
             "formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful goodness revival "
             "allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption "
             "homologous communism activate angularity effective bowdlerize probate rate cease controlling roll yyyy syzygy "
             "yes eye oyez ying yying aing a is be bee see sees seed weed need reed ies ied ings ing ion ions").split()


def score_rows():
    rng = random.Random(3)
    pairs = [([a], b) for i, a in enumerate(SENTENCES) for b in (SENTENCES[i - 1], SENTENCES[(i + 1) % len(SENTENCES)], a)]
    pairs += [([t], p) for t, p in LINES]
    pairs += [(rng.sample(SENTENCES, 3), rng.choice(SENTENCES)) for _ in range(12)]
    pairs += [([t for t, _ in LINES[:4]], LINES[2][1])]
    for size, letters in ((40, "ab"), (130, "abc"), (200, "abcdefgh")):
        make = lambda: "".join(rng.choice(letters) + rng.choice("    \n") for _ in range(size))
        pairs += [([make()], make()), ([make(), make()], make())]
    plain = rouge_scorer.RougeScorer(TYPES)
    stemmed = rouge_scorer.RougeScorer(TYPES, use_stemmer=True)
    for targets, prediction in pairs:
        row = {"target": targets, "prediction": prediction}
        for name, scorer in (("plain", plain), ("stemmed", stemmed)):
            row[name] = {k: [float(v) for v in s] for k, s in scorer.score_multi(targets, prediction).items()}
        yield row


def stem_lines():
    stemmer = PorterStemmer()
    words = sorted({a + b for a in STARTS for b in ENDS} | set(IRREGULAR) | set(STARTS))
    return [f"{word} {stemmer.stem(word)}" for word in words]


def statistics_rows():
    rng = numpy.random.default_rng(5)
    for count in (1, 2, 5, 60, 400):
        values = rng.beta(2, 3, count).round(4)
        other = (values * rng.normal(0.95, 0.1, count)).clip(0, 1).round(4)
        picks = rng.integers(0, count, (20000, count))
        means, others = values[picks].mean(axis=1), other[picks].mean(axis=1)
        percents = [0, 2.5, 10, 33.3, 50, 75, 95, 99, 100]
        yield {
            "values": values.tolist(),
            "other": other.tolist(),
            "mean": values.mean(),
            "percents": percents,
            "percentiles": numpy.percentile(values, percents).tolist(),
            "interval": numpy.percentile(means, [2.5, 50, 97.5]).tolist(),
            "loss": [1 - other.mean() / values.mean(), *numpy.percentile(1 - others / means, [2.5, 97.5]).tolist()],
        }


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[3] / "tests/measure/golden")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("rouge", score_rows()), ("statistics", statistics_rows())):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "stems.txt").write_text("\n".join(stem_lines()) + "\n")


if __name__ == "__main__":
    main()
