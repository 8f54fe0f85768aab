#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/compress/gptq.safetensors: GPTQ said plainly, a column after the other over the whole matrix, with the
inverse of H and its Cholesky factor from numpy.

    python3 tools/goldens/compress/gptq.py tests/golden/compress/gptq.safetensors     (numpy, safetensors)

For each case NAME: NAME.inputs F16 [samples, columns], NAME.weights F16 [rows, columns], NAME.codes I8 [rows, columns],
NAME.scales F32 [rows, groups], NAME.losses F64 [2]: mean squared difference of outputs by these codes and rounded to nearest.
Cases: `short` groups of 32; `blocks` columns of several blocks in groups of 64; `odd` groups of 96, f16 scales, fewer samples than
columns, inputs that are always 0; `fit` one fitted scale a row.
"""
import sys

import numpy as np
from safetensors.numpy import save_file

F = np.float32


def rounded(scale, half):
    scale = np.asarray(scale, F)
    if half:
        scale = scale.astype(np.float16).astype(F)
    return np.where(scale > 0, scale, np.finfo(F).eps).astype(F)


def codes_of(values, scales):
    return np.rint(np.clip(values.astype(F) / scales, F(-8), F(7)))


def scales_of(part, fit, half):
    """One scale for each row of part."""
    part = part.astype(F)
    plain = np.abs(part).max(1) / F(7.5)
    best = rounded(plain, half)
    if not fit:
        return best

    def errors(scales):
        rest = part.astype(np.float64) - codes_of(part, scales[:, None]) * scales[:, None].astype(np.float64)
        return (rest**2).sum(1)

    least = errors(best)
    for step in range(26):
        if step == 15:
            continue
        scales = rounded(plain * (F(0.70) + F(0.02) * F(step)), half)
        now = errors(scales)
        best, least = np.where(now < least, scales, best), np.minimum(now, least)
    return best


def nearest(weights, group, fit, half):
    scales = np.stack([scales_of(part, fit, half) for part in np.split(weights, weights.shape[1] // group, 1)], 1)
    return codes_of(weights, np.repeat(scales, group, 1)), scales


def gptq(weights, inputs, group, fit, half):
    columns = weights.shape[1]
    h = 2 / len(inputs) * inputs.T @ inputs
    seen = np.diag(h) != 0
    mean = np.diag(h)[seen].mean()
    h += np.diag(np.where(seen, 0.01 * mean, mean))
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    w, codes = weights.copy(), np.zeros_like(weights)
    scales = np.zeros((len(weights), columns // group), F)
    for j in range(columns):
        if j % group == 0:
            scales[:, j // group] = scales_of(w[:, j:j + group], fit, half)
        scale = scales[:, j // group]
        codes[:, j] = codes_of(w[:, j], scale)
        error = (w[:, j] - codes[:, j] * scale.astype(np.float64)) / u[j, j]
        w[:, j:] -= np.outer(error, u[j, j:])
    return codes, scales


def losses(weights, inputs, codes, scales, group):
    rest = weights - codes * np.repeat(scales, group, 1).astype(np.float64)
    return ((inputs @ rest.T)**2).mean(0)


def case(out, name, random, rows, columns, samples, group, fit=False, half=False, unseen=()):
    mix = random.normal(size=(columns, columns)) * (random.random((columns, columns)) < 0.1) + np.eye(columns)
    inputs = (random.normal(size=(samples, columns)) @ mix).astype(np.float16)
    inputs[:, list(unseen)] = 0
    weights = random.normal(size=(rows, columns), scale=0.05).astype(np.float16)
    w, x = weights.astype(np.float64), inputs.astype(np.float64)
    codes, scales = gptq(w, x, group, fit, half)
    plain_codes, plain_scales = nearest(w, group, fit, half)
    found, plain = losses(w, x, codes, scales, group), losses(w, x, plain_codes, plain_scales, group)
    stays = ~(found < plain)
    codes[stays], scales[stays] = plain_codes[stays], plain_scales[stays]
    mean = np.array([np.minimum(found, plain).mean(), plain.mean()])
    print(f"{name}: {mean[0]:.5g} of {mean[1]:.5g}, {stays.sum()} rows rounded to nearest")
    out |= {f"{name}.inputs": inputs, f"{name}.weights": weights, f"{name}.codes": codes.astype(np.int8),
            f"{name}.scales": scales.astype(F), f"{name}.losses": mean}


def main():
    out, random = {}, np.random.default_rng(8)
    case(out, "short", random, 12, 96, 64, 32)
    case(out, "blocks", random, 20, 320, 96, 64)
    case(out, "odd", random, 9, 192, 40, 96, half=True, unseen=(0, 17, 95, 96, 191))
    case(out, "fit", random, 8, 256, 80, 256, fit=True)
    save_file({name: np.ascontiguousarray(value) for name, value in out.items()}, sys.argv[1])


main()
