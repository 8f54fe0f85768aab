# SPDX-License-Identifier: Apache-2.0
"""Writes tests/measure/golden/thresholds.json: thresholds of static quantization for values that a formula makes, each
rule as its definition has it, in numpy over all values at once (moving averages by torch's own observer).

    python tools/goldens/measure/thresholds.py

A value is made from a number u in [-1, 1) of a linear congruential generator, by multiplications in f32, so that
tests/measure/test_threshold.c makes the same bits.
"""
import json
import pathlib

import numpy as np
import torch
from torch.ao.quantization import MinMaxObserver, MovingAverageMinMaxObserver

ROOT = pathlib.Path(__file__).resolve().parents[3]
BATCHES, ROWS, COLUMNS, BINS, LEVELS = 10, 64, 16, 2048, 128
CASES = [  # power of u, factor, every n-th value is this many times larger, negative values become 0
    dict(name="uniform", power=1, factor=1.0, every=0, times=1.0, relu=False),
    dict(name="heavy tails", power=5, factor=40.0, every=0, times=1.0, relu=False),
    dict(name="outliers", power=3, factor=3.0, every=1999, times=50.0, relu=False),
    dict(name="small, half zeros", power=3, factor=0.01, every=0, times=1.0, relu=True),
    dict(name="one outlier", power=1, factor=0.75, every=9973, times=300.0, relu=False),
]


def values_make(case):
    """[batches, rows * columns] f32."""
    seed, values = 12345, []
    for i in range(BATCHES * ROWS * COLUMNS):
        seed = (seed * 1664525 + 1013904223) % 2**32
        u = np.float32((seed >> 8) / 2**23 - 1)
        value = u
        for _ in range(case["power"] - 1):
            value = value * u
        value = value * np.float32(case["factor"])
        if case["every"] and i % case["every"] == case["every"] - 1:
            value = value * np.float32(case["times"])
        values.append(np.float32(0) if case["relu"] and value < 0 else value)
    return np.array(values, dtype=np.float32).reshape(BATCHES, -1)


def entropy(counts, edges):
    counts = counts.astype(np.float64)
    counts[0] = counts[1]
    used = np.nonzero(counts)[0][-1] + 1
    best, least = used, np.inf
    for end in range(LEVELS, used + 1):
        window = counts[:end]
        p = window.copy()
        p[-1] += counts[end:].sum()
        level = np.arange(end) * LEVELS // end
        q = np.zeros(end)
        for one in np.unique(level):
            held = (level == one) & (window > 0)
            if held.any():
                q[held] = window[held].mean()
        if p[-1] > 0 and q[-1] == 0:
            continue
        p, q = p / p.sum(), q / q.sum()
        divergence = np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))
        if divergence < least:
            best, least = end, divergence
    return edges[best]


def mse(counts, edges):
    used = np.nonzero(counts)[0][-1] + 1
    centres = (edges[:-1] + edges[1:]) / 2

    def error(end):
        step = edges[end] / 127
        return np.sum(counts * (centres - np.minimum(np.rint(centres / step), 127) * step) ** 2)

    candidates = [used, *range(BINS // 16, used)]
    return edges[candidates[int(np.argmin([error(end) for end in candidates]))]]


def case_make(case):
    batches = values_make(case)
    moving, minmax = MovingAverageMinMaxObserver(averaging_constant=0.01), MinMaxObserver()
    for batch in batches:
        moving(torch.from_numpy(batch))
        minmax(torch.from_numpy(batch))
    magnitudes = np.abs(batches.astype(np.float64)).ravel()
    absmax = magnitudes.max()
    counts, edges = np.histogram(magnitudes, bins=BINS, range=(0, 2 ** np.ceil(np.log2(absmax))))
    below = np.concatenate([[0], np.cumsum(counts)])
    thresholds = {
        "minmax": max(-minmax.min_val.item(), minmax.max_val.item()),
        "moving-average": max(-moving.min_val.item(), moving.max_val.item()),
        "entropy": entropy(counts, edges),
        "mse": mse(counts, edges),
    }
    for percent in (99.99, 99.0):
        wanted = percent / 100 * magnitudes.size
        bin_ = np.searchsorted(below, wanted) - 1
        thresholds[f"percentile {percent:g}"] = edges[bin_] + (wanted - below[bin_]) / counts[bin_] * (edges[1] - edges[0])
    return {**case, "thresholds": {rule: float(min(value, absmax)) for rule, value in thresholds.items()}}


torch.set_num_threads(1)
rows = [case_make(case) for case in CASES]
(ROOT / "tests/measure/golden/thresholds.json").write_text(
    json.dumps(dict(batches=BATCHES, rows=ROWS, columns=COLUMNS, cases=rows), indent=1) + "\n")
