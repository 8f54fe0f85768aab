#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits the polynomials of src/kernel/ref/math.h and prints them as C hexadecimal floats.

Each is a weighted minimax fit by Lawson's iteration on Chebyshev nodes in double precision; coefficients are then rounded
to float one after the other from the lowest, the rest refitted each time. Needs numpy and mpmath.
"""
import mpmath
import numpy as np


def lawson(basis, target, weight, steps=400):
    """Coefficients c that make max |weight * (basis c - target)| small."""
    w = np.ones(len(target))
    best, best_error = None, np.inf
    for _ in range(steps):
        s = np.sqrt(w) * weight
        c = np.linalg.lstsq(basis * s[:, None], target * s, rcond=None)[0]
        error = np.abs(weight * (basis @ c - target))
        if error.max() < best_error:
            best, best_error = c, error.max()
        w = w * error
        w /= w.sum()
    return best, best_error


def fit(name, f, low, high, degree, weight, fixed=()):
    """p(x) of `degree` for f on [low, high]; `fixed`: leading low-order coefficients that are given."""
    n = 2000
    x = (low + high) / 2 + (high - low) / 2 * np.cos((np.arange(n) + 0.5) * np.pi / n)
    y = np.array([float(f(mpmath.mpf(v))) for v in x])
    w = np.array([float(weight(mpmath.mpf(v))) for v in x])
    done = list(fixed)
    while len(done) <= degree:
        k = len(done)
        basis = np.stack([x**i for i in range(k, degree + 1)], axis=1)
        rest = y - sum(c * x**i for i, c in enumerate(done))
        c, error = lawson(basis, rest, w)
        done.append(float(np.float32(c[0])))
    final = np.abs(w * (sum(c * x**i for i, c in enumerate(done)) - y)).max()
    print(f"{name}: [{low}, {high}], weighted error {final:.3g}")
    print("    " + ", ".join(f"{np.float32(c).item().hex()}f" for c in done))


mpmath.mp.dps = 40
ln2 = float(mpmath.log(2))
small = mpmath.mpf(10) ** -12
# exp(r) = 1 + r + r^2 p(r)
fit("exp", lambda r: (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > 1e-9 else mpmath.mpf(0.5), -ln2 / 2 * 1.001,
    ln2 / 2 * 1.001, 4, lambda r: r**2 / mpmath.exp(r))
# log(1 + f) = f - f^2/2 + f^3 p(f)
fit("log", lambda f: (mpmath.log(1 + f) - f + f**2 / 2) / f**3 if abs(f) > 1e-9 else mpmath.mpf(1) / 3,
    float(mpmath.sqrt(0.5)) - 1.001, float(mpmath.sqrt(2)) - 0.999, 8,
    lambda f: f**3 / mpmath.log(1 + f) if abs(f) > 1e-9 else f**2)
# tanh(a) = a + a^3 p(a^2) for a < 0.625
fit("tanh", lambda s: (mpmath.tanh(mpmath.sqrt(s)) - mpmath.sqrt(s)) / mpmath.sqrt(s) ** 3 if s > small
    else mpmath.mpf(-1) / 3, 0.0, 0.625**2, 4, lambda s: mpmath.sqrt(s) ** 3 / mpmath.tanh(mpmath.sqrt(s)) if s > small else s)
# erf(a) = a + a p(a^2) for a < 1
fit("erf", lambda s: mpmath.erf(mpmath.sqrt(s)) / mpmath.sqrt(s) - 1 if s > small
    else 2 / mpmath.sqrt(mpmath.pi) - 1, 0.0, 1.0, 6, lambda s: mpmath.sqrt(s) / mpmath.erf(mpmath.sqrt(s)) if s > small
    else mpmath.mpf(1))
# erf(a) = 1 - exp(p(a)) for 1 <= a <= 4
fit("erfc", lambda a: mpmath.log(mpmath.erfc(a)), 1.0, 4.0, 8, lambda a: mpmath.erfc(a))
