#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/compress/evidence.json: an evidence document as `hone optimize` makes them (src/compress/report.h), in the
shape of a search over the demo's summarizer.

    python3 tools/goldens/compress/evidence.py tests/golden/compress/evidence.json

Its figures are made up, most of them drawn from a seed. They tell nothing of any model.
"""
import json
import math
import random
import sys

draw = random.Random(7)
D, FFN, VOCABULARY = 256, 512, 7739
QUALITY = {"rouge1": 0.9906, "rouge2": 0.9831, "rougeL": 0.9905}

# recipe, mean ms, MB, peak MB, relative loss and its spread
CHOSEN = "int8; int4 fc2; ffn -30 %; head screen"
RECIPES = [
    ("", 5.31, 24.84, 71.2, 0.0, 0.0),
    ("bf16", 4.42, 12.47, 58.9, 0.0001, 0.0004),
    ("int8", 2.61, 6.67, 49.3, 0.0002, 0.0006),
    ("int8-static mse", 2.44, 6.67, 49.1, -0.0004, 0.0007),
    ("int8; ffn -30 %", 2.31, 6.19, 48.4, 0.0031, 0.0024),
    (CHOSEN, 1.98, 5.98, 47.6, 0.0049, 0.0028),
    ("int4 groups of 64, gptq", 2.87, 3.82, 46.1, 0.0006, 0.0009),
    ("nf4", 5.92, 3.71, 46.8, 0.0008, 0.0011),
    ("int8; decoder layers 0, 2", 1.71, 5.78, 46.9, 0.0834, 0.0121),
]


def linears():
    """Names of weights with the number of their values, in the order in which they run."""
    yield "shared", VOCABULARY * D
    for side, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "encoder_attn"])):
        for n in range(3):
            for attention in attentions:
                for part in ("q", "k", "v", "out"):
                    yield f"{side}.layers.{n}.{attention}.{part}_proj", D * D
            yield f"{side}.layers.{n}.fc1", D * FFN
            yield f"{side}.layers.{n}.fc2", D * FFN


def interval(middle, spread, name="mean", digits=6):
    low, high = (middle + sign * spread * draw.uniform(0.8, 1.2) for sign in (-1, 1))
    return {name: round(middle, digits), "low": round(low, digits), "high": round(high, digits)}


def row(recipe, ms, mb, peak, loss, spread):
    (_, base_ms, base_mb, *_), quality = RECIPES[0], {k: interval(v * (1 - loss), 0.003) for k, v in QUALITY.items()}
    made = {
        "name": {"": "original", CHOSEN: "chosen"}.get(recipe, recipe), "recipe_text": recipe,
        "latency_ms": {"mean": ms, "p50": round(ms * 0.92, 3), "p95": round(ms * 1.55, 3), "p99": round(ms * 1.79, 3)},
        "samples_per_s": round(1970 / ms, 1), "weights_mb": mb, "peak_rss_mb": peak,
        "reduction_percent": round(100 * (1 - mb / base_mb), 1), "quality": quality, "chosen": recipe == CHOSEN,
    }
    if recipe:
        made["speedup"] = interval(base_ms / ms, 0.03, digits=3)
        made["loss"] = {k: interval(loss * f, spread * f, "relative") for k, f in zip(QUALITY, (0.8, 1.5, 0.8))}
        made["loss"]["mean"] = interval(loss, spread, "relative")
    if ms > base_ms:
        made["note"] = "slower here: no optimization"
    return made


def frontier():
    points = [(recipe, ms, mb, loss, spread) for recipe, ms, mb, _, loss, spread in RECIPES[1:]]
    for part in ("k_proj", "v_proj", "out_proj", "fc1", "fc2"):
        points.append((f"int8; int4 {part}", draw.uniform(2.56, 2.66), draw.uniform(5.8, 6.2), draw.uniform(0.0002, 0.003),
                       0.001))
    for amount in (10, 20, 40, 50):
        points.append((f"int8; ffn -{amount} %", 2.6 - amount * 0.009, 6.67 - amount * 0.018, 0.0002 * math.exp(amount / 9),
                       0.0004 + amount * 0.0001))
    for heads in (1, 2, 3, 4):
        points.append((f"int8; heads -{heads}", 2.6 - heads * 0.07, 6.67 - heads * 0.11, 0.0011 * math.exp(heads * 0.95),
                       0.0012 * heads))
    points.append(("int8; encoder layers 0, 2; decoder layers 0, 2", 1.42, 4.98, 0.312, 0.021))
    return [{"recipe_text": recipe, "loss": interval(loss, spread, "relative"), "mb": round(mb, 2),
             "ms": round(ms, 3) if loss < 0.05 else None,
             "within": loss + 1.2 * spread <= 0.01, "chosen": recipe == CHOSEN}
            for recipe, ms, mb, loss, spread in points]


def change(layer, what, kind, loss, values, kept):
    return {"layer": layer, "change": what, "kind": kind, "output_error": float(f"{abs(loss) ** 0.8:.4g}"),
            "loss_change": float(f"{loss:.4g}"), "rouge_change": round(loss / 4, 5) if what == "int4" else None,
            "bytes_saved": round(values * 4 * (1 - kept)),
            "ms_saved": None if kept == 1 else round(values * (1 - kept) * 3e-7, 4)}


def sensitivity():
    schemes = [("fp16", 2e-6, 0.5), ("int8", 3e-4, 0.255), ("int4", 4e-3, 0.135), ("nf4", 3e-3, 0.133)]
    amounts = (0.1, 0.3, 0.5, 0.7)
    rows = []
    for name, values in linears():
        care = draw.lognormvariate(0, 0.8)
        for what, size, kept in schemes:
            loss = size * care * draw.lognormvariate(0, 0.4) - 2e-4 * draw.random()
            rows.append(change(name, what, "scheme", loss, values, kept))
        for amount in amounts:
            loss = 4e-4 * care * math.exp(10 * amount) * draw.lognormvariate(0, 0.4)
            rows.append(change(name, f"zeros {amount}", "zeros", loss, values, 1))
        if not name.endswith(("fc2", "out_proj")):
            continue
        stem, part = name.rsplit(".", 1)
        block, unit = (f"{stem}.ffn", "neurons") if part == "fc2" else (stem, "heads")
        for amount in amounts:
            loss = 1e-3 * care * math.exp(7 * amount) * draw.lognormvariate(0, 0.3)
            rows.append(change(block, f"{unit} {amount}", "units", loss, 2 * D * FFN, 1 - amount))
        if part == "fc2":
            rows.append(change(stem, "dropped", "layer", 0.3 * care, 2 * D * FFN + 4 * D * D, 0))
    return {"samples": 64, "tokens": 1707, "rows": rows}


def layers():
    rows = []
    for name, values in linears():
        scheme, bytes_each = ("int4", 0.54) if name.endswith("fc2") else ("int8", 1.02)
        if name.endswith("layers.2.encoder_attn.out_proj"):
            scheme, bytes_each = "bf16", 2
        kept = 0.7 if name.endswith(("fc1", "fc2")) else 1
        rows.append({"name": name, "scheme": scheme, "original_mb": round(values * 4e-6, 4),
                     "mb": round(values * kept * bytes_each * 1e-6, 4)})
    return rows


def samples():
    calvin = "Calvin books a table for three at the Eastern Peacock on Saturday at {} pm and asks for a booth."
    liam = "Bo buys Liam's yellow bookshelf for $126. They will meet on Saturday at 7:20 pm at the bakery."
    return [
        {"source": "Calvin: Hi, I'd like to book a table at the Eastern Peacock.\nWaitress: Sure. For when?\nCalvin: Saturday, "
                   "if you have something.\nWaitress: How many of you?\nCalvin: Three. Is 5:50 pm possible?\nWaitress: Sorry, "
                   "6:50 pm is the first.\nCalvin: 6:50 pm, then. And a booth, please.\nWaitress: Done.",
         "reference": calvin.format("6:50"), "original": calvin.format("6:50"), "chosen": calvin.format("5:50")},
        {"source": "Bo: Is the yellow bookshelf still there?\nLiam: Yes, $126.\nBo: I'll take it. Saturday?\nLiam: 7:20 pm, at "
                   "the bakery.", "reference": liam, "original": liam, "chosen": liam},
        {"source": "Ben: Lunch for Joel on May 21?\nTed: 5:15 pm works. I bring confetti.\nBen: And I an onion tart.",
         "reference": "Ben and Ted plan a lunch for Joel on May 21 at 5:15 pm. Ted brings confetti and Ben brings onion tart.",
         "original": "Ben and Ted plan an office lunch for Joel on May 21 at 5:15 pm. Ted brings confetti and Ben brings "
                     "sparkling water.",
         "chosen": "Ben and Ted plan a lunch for Joel on May 21 at 5:15 pm. Ted brings the confetti and Ben brings onion "
                   "platter."},
    ]


def evidence():
    rows, points = [row(*recipe) for recipe in RECIPES], frontier()
    levers = [("original", 5.31), ("int8 weights and activations", 2.61), ("ffn -30 %", 2.31), ("int4 fc2", 2.24),
              ("head screen", 1.98)]
    phases = [("opening and splitting the data", 1.2), ("sensitivity", 31.8), ("search", 41.5), ("final measurement", 16.9),
              ("writing", 1.7)]
    return {
        "hone": "0.1.0",
        "command": "hone optimize demo/model -o small --data demo/dev.jsonl --max-loss 0.01 --for latency --report report.html",
        "seed": 1, "goal": "latency", "budget": 0.01, "seconds": 93.1, "evaluations": len(points), "generation": "num_beams 4",
        "model": {"name": "demo/model", "family": "bart", "parameters": 6199040, "weights_mb": 24.84, "sha256": "2f29652d" * 8},
        "data": {"name": "demo/dev.jsonl", "sha256": "9b1e04c7" * 8, "rows": 500, "split": [
            {"name": name, "rows": count, "use": use, "sha256": digest * 8} for name, count, use, digest in (
                ("tuning", 128, "calibration, sensitivity, times", "5b1f09aa"),
                ("selection", 186, "which recipe is taken", "c2d77e10"),
                ("final", 186, "the figures of this page; looked at once, after the choice", "0fe3b6d4"))]},
        "machine": {"cpu": "AMD EPYC", "cores": 2, "level": "vnni", "threads": 2, "system": "Linux 6.1"},
        "answer": {"met": True, "sentence": f"{CHOSEN}: 2.68 times as fast as the original [2.65, 2.71] and 75.9 % smaller; on "
                   "186 rows that nothing was chosen by it loses 0.49 % [0.25, 0.74], within the budget of 1 %",
                   "recipe": {"scheme": "int8", "keep": ["*.fc2=int4", "*.layers.2.encoder_attn.out_proj=bf16"],
                              "prune": [{"method": "ffn", "amount": 0.3}], "levers": ["lm-head-screen"]},
                   "recipe_text": CHOSEN, "output": "small"},
        "metrics": list(QUALITY), "rows": rows, "frontier": points, "sensitivity": sensitivity(), "layers": layers(),
        "waterfall": [{"label": label, "ms": ms, "low": round(ms * 0.985, 3), "high": round(ms * 1.02, 3)}
                      for label, ms in levers],
        "samples": samples(), "phases": [{"name": name, "seconds": seconds} for name, seconds in phases],
        "weights_sha256": "52404bc3" * 8,
    }


def lines(value):
    """A list of objects with one of them a line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
    return json.dumps(value)


with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write("{\n" + ",\n".join(f" {json.dumps(key)}: {lines(value)}" for key, value in evidence().items()) + "\n}\n")
