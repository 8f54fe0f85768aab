# SPDX-License-Identifier: Apache-2.0
"""Cases of the operators that show how cases are written."""
import numpy as np
from case import Case, Constant


def cases():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    yield Case("add", "same", "Add", [x, x[::-1].copy()])
    yield Case("add", "broadcast", "Add", [x, Constant(rng.standard_normal((3, 1)).astype(np.float32))])
    yield Case("add", "both", "Add", [x[:, :1], x[:1, :, :1]])
    yield Case("add", "scalar", "Add", [x, np.array(2, np.float32)])
    yield Case("add", "halves", "Add", [x.astype(np.float16), x[0].astype(np.float16)])
    yield Case("add", "wraps", "Add", [np.array([127, -128, 3], np.int8), np.array([1, -1, 4], np.int8)])
    yield Case("add", "empty", "Add", [np.zeros((0, 3), np.float32), np.zeros((1, 3), np.float32)])
    yield Case("elu", "default", "Elu", [x])
    yield Case("elu", "alpha", "Elu", [x.astype(np.float64)], {"alpha": 2.0})
    yield Case("identity", "any", "Identity", [np.array([True, False])])
