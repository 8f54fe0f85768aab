# SPDX-License-Identifier: Apache-2.0
"""Cases of operators that work element by element. Halves: the reference's f32 result, rounded. Where onnx's reference evaluator
is wrong, lacks an operator or asks for more than ONNX does, numpy says what is expected."""
import math

import ml_dtypes
import numpy as np
from case import OPSET, Case, Constant
from make import compute

F64, F32, F16, BF16 = np.float64, np.float32, np.float16, ml_dtypes.bfloat16
SIGNED = [np.int64, np.int32, np.int16, np.int8]
UNSIGNED = [np.uint64, np.uint32, np.uint16, np.uint8]
NAN, INF = math.nan, math.inf
SPECIAL = np.array([NAN, INF, -INF, 0.0, -0.0, 1e-30, -1e-30, 88.0, -88.0, 1.5], F32)

# symbol, operator, least input, largest, attribute sets, opset
REAL_UNARY = [
    ("floor", "Floor", -3, 3, [{}], OPSET),
    ("ceil", "Ceil", -3, 3, [{}], OPSET),
    ("sqrt", "Sqrt", 0, 9, [{}], OPSET),
    ("reciprocal", "Reciprocal", 0.5, 3, [{}], OPSET),
    ("exp", "Exp", -5, 3, [{}], OPSET),
    ("log", "Log", 0.01, 9, [{}], OPSET),
    ("sin", "Sin", -7, 7, [{}], OPSET),
    ("cos", "Cos", -7, 7, [{}], OPSET),
    ("tan", "Tan", -1, 1, [{}], OPSET),
    ("tanh", "Tanh", -4, 4, [{}], OPSET),
    ("sigmoid", "Sigmoid", -9, 9, [{}], OPSET),
    ("erf", "Erf", -3, 3, [{}], OPSET),
    ("relu", "Relu", -3, 3, [{}], OPSET),
    ("leaky_relu", "LeakyRelu", -30, 3, [{}, {"alpha": 0.25}], OPSET),
    ("thresholded_relu", "ThresholdedRelu", -3, 3, [{}, {"alpha": 0.5}], OPSET),
    ("elu", "Elu", -3, 3, [{}, {"alpha": 0.5}], OPSET),
    ("selu", "Selu", -3, 3, [{}, {"alpha": 2.0, "gamma": 3.0}], OPSET),
    ("hard_sigmoid", "HardSigmoid", -6, 6, [{}, {"alpha": 0.5, "beta": 0.25}], OPSET),
    ("hard_swish", "HardSwish", -6, 6, [{}], OPSET),
    ("softplus", "Softplus", -9, 9, [{}], OPSET),
    ("softsign", "Softsign", -9, 9, [{}], OPSET),
    ("mish", "Mish", -9, 9, [{}], OPSET),
    ("swish", "Swish", -9, 9, [{}, {"alpha": 1.5}], 24),
    ("gelu", "Gelu", -4, 4, [{}, {"approximate": "tanh"}], OPSET),
    ("abs", "Abs", -3, 3, [{}], OPSET),
    ("neg", "Neg", -3, 3, [{}], OPSET),
    ("sign", "Sign", -3, 3, [{}], OPSET),
    ("celu", "Celu", -3, 3, [{}, {"alpha": 2.0}], OPSET),
]


def rounded(case, dtype):
    """The case's result as `dtype`; its inputs are exact in both types."""
    return [np.asarray(y).astype(dtype) if np.asarray(y).dtype == F32 else y for y in compute(case)]


def all_reals(symbol, name, op, arrays, attributes=None, opset=OPSET):
    """The operator on each real type; `arrays` are f32."""
    arrays = [a.astype(BF16).astype(F16).astype(F32) for a in arrays]
    single = Case(symbol, name + " f32", op, arrays, attributes, opset=opset)
    yield single
    double = [a.astype(F64) for a in arrays]
    if op == "Celu":  # f32 only in ONNX
        yield Case(symbol, name + " f64", op, double, attributes, expected=rounded(single, F64))
    else:
        yield Case(symbol, name + " f64", op, double, attributes, opset=opset)
    for dtype in (F16, BF16):
        yield Case(symbol, f"{name} {np.dtype(dtype).name}", op, [a.astype(dtype) for a in arrays], attributes,
                   expected=rounded(single, dtype))


def real_unary_cases(rng):
    for symbol, op, low, high, attribute_sets, opset in REAL_UNARY:
        x = rng.uniform(low, high, (3, 7)).astype(F32)
        for attributes in attribute_sets:
            yield from all_reals(symbol, "some" + "".join(f" {k}" for k in attributes), op, [x], attributes, opset)
        expected = [np.array(0.9, F32)] if op == "Softsign" else None
        yield Case(symbol, "scalar", op, [np.array(high, F32)], opset=opset, expected=expected)
        yield Case(symbol, "empty", op, [np.zeros((2, 0, 3), F32)], expected=[np.zeros((2, 0, 3), F32)])
    yield from all_reals("round", "halves to even", "Round", [np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.75, -1.25, 7], F32)])
    yield Case("floor", "special", "Floor", [SPECIAL])
    yield Case("sqrt", "special", "Sqrt", [np.array([NAN, INF, 0, -1, 1e-30], F32)])
    yield Case("reciprocal", "special", "Reciprocal", [np.array([NAN, INF, -INF, 0, -0.0], F32)])
    yield Case("log", "special", "Log", [np.array([NAN, INF, 0, -1, 1e-40], F32)])
    yield Case("tanh", "special", "Tanh", [SPECIAL])
    yield Case("erf", "special", "Erf", [SPECIAL])
    yield Case("exp", "special", "Exp", [np.array([NAN, INF, -INF, 0, 80, -80, 100, -100], F32)])
    yield Case("sigmoid", "special", "Sigmoid", [SPECIAL],
               expected=[np.array([NAN, 1, 0, .5, .5, .5, .5, 1, 0, 0.81757448], F32)])
    yield Case("softplus", "special", "Softplus", [np.array([INF, -INF, 1000, -1000, NAN], F32)],
               expected=[np.array([INF, 0, 1000, 0, NAN], F32)])
    yield Case("mish", "large", "Mish", [np.array([INF, 1000, -1000, NAN], F32)], expected=[np.array([INF, 1000, 0, NAN], F32)])
    yield Case("swish", "large", "Swish", [np.array([INF, 1000, -1000, NAN], F32)], expected=[np.array([INF, 1000, 0, NAN], F32)])
    yield Case("relu", "special", "Relu", [SPECIAL])
    yield Case("sign", "special", "Sign", [SPECIAL])
    yield Case("neg", "special", "Neg", [SPECIAL])
    long = (np.arange(-260, 270) / 32).astype(F32)  # more than is computed at once
    yield Case("sigmoid", "long", "Sigmoid", [long])
    yield Case("erf", "long", "Erf", [long])


def integer_unary_cases():
    for dtype in SIGNED:
        least, name = np.iinfo(dtype).min, np.dtype(dtype).name
        x = np.array([[least, least + 1, -3], [0, 5, np.iinfo(dtype).max]], dtype)
        yield Case("abs", name, "Abs", [x])
        yield Case("neg", name, "Neg", [x])
        yield Case("sign", name, "Sign", [x])
        yield Case("relu", name, "Relu", [x], expected=[np.maximum(x, 0)])
        yield Case("bitwise_not", name, "BitwiseNot", [x])
        yield Case("erf", name, "Erf", [np.array([-100, -2, 0, 1, 100], dtype)], expected=[np.array([-1, 0, 0, 0, 1], dtype)])
    for dtype in UNSIGNED:
        name = np.dtype(dtype).name
        x = np.array([0, 1, 100, np.iinfo(dtype).max], dtype)
        yield Case("abs", name, "Abs", [x])
        yield Case("sign", name, "Sign", [x], expected=[np.minimum(x, dtype(1))])
        yield Case("bitwise_not", name, "BitwiseNot", [x])
        yield Case("erf", name, "Erf", [x], expected=[np.array([0, 0, 1, 1], dtype)])
    yield Case("not", "bools", "Not", [np.array([[True, False]])])
    yield Case("not", "empty", "Not", [np.zeros(0, bool)])


def test_cases():
    for dtype in (F64, F32, F16, BF16):
        name = np.dtype(dtype).name
        x = np.array([[NAN, INF, -INF], [0, 1, -2]], dtype)
        real = x.astype(F32)
        yield Case("isnan", name, "IsNaN", [x], expected=[np.isnan(real)])
        yield Case("isinf", name, "IsInf", [x], expected=[np.isinf(real)])
        yield Case("isinf", name + " positive", "IsInf", [x], {"detect_negative": 0}, expected=[real == INF])
        yield Case("isinf", name + " negative", "IsInf", [x], {"detect_positive": 0}, expected=[real == -INF])
        yield Case("isinf", name + " none", "IsInf", [x], {"detect_negative": 0, "detect_positive": 0}, 
                   expected=[np.zeros_like(real, bool)])


def clip_cases(rng):
    x = rng.uniform(-3, 3, (3, 5)).astype(F32).astype(BF16).astype(F32)
    one = lambda v, dtype=F32: np.array(v, dtype)
    yield from all_reals("clip", "both", "Clip", [x, one(-1), one(1.5)])
    yield Case("clip", "constants", "Clip", [x, Constant(one(0)), Constant(one(6))])
    yield Case("clip", "neither", "Clip", [x])
    yield Case("clip", "min", "Clip", [x, one(-1)])
    yield Case("clip", "max", "Clip", [x, None, one(1)])
    yield Case("clip", "min above max", "Clip", [x, one(2), one(1)], expected=[np.full_like(x, 1)])
    yield Case("clip", "a list of one", "Clip", [x, np.array([-1], F32)], expected=[np.maximum(x, -1)])
    yield Case("clip", "special", "Clip", [SPECIAL, one(-1), one(1)])
    yield Case("clip", "empty", "Clip", [np.zeros((0, 2), F32), one(-1), one(1)])
    for dtype in SIGNED + UNSIGNED:
        info = np.iinfo(dtype)
        y = np.array([info.min, 1, 50, 100, info.max], dtype)
        yield Case("clip", info.dtype.name, "Clip", [y, one(2, dtype), one(99, dtype)])
        yield Case("clip", info.dtype.name + " max", "Clip", [y, None, one(99, dtype)], expected=[np.minimum(y, dtype(99))])
        yield Case("clip", info.dtype.name + " min", "Clip", [y, one(2, dtype)], expected=[np.maximum(y, dtype(2))])


SHAPES = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((3, 1), (2, 1, 4)), ((), (2, 3)), ((2, 3), ()), ((2, 1, 3), (1, 5, 1)),
          ((0, 3), (1, 3)), ((), ())]


def broadcast_cases(symbol, op, draw, function=None):
    """`draw(shape)` makes an operand; `function` in place of the reference."""
    for a, b in SHAPES:
        x, y = draw(a), draw(b)
        yield Case(symbol, f"shapes {list(a)} {list(b)}", op, [x, y], expected=[function(x, y)] if function else None)


def integers(rng, shape, dtype, low=None, high=None):
    info = np.iinfo(dtype)
    return rng.integers(info.min if low is None else low, info.max if high is None else high, shape, dtype, endpoint=True)


def arithmetic_cases(rng):
    real = lambda shape: rng.uniform(0.5, 3, shape).astype(F32)
    for symbol, op, function in (("add", "Add", np.add), ("sub", "Sub", np.subtract), ("mul", "Mul", np.multiply)):
        yield from broadcast_cases(symbol, op, real)
        yield from all_reals(symbol, "real", op, [real((2, 3)), real((3,))])
        for dtype in SIGNED + UNSIGNED:
            a, b = integers(rng, (2, 8), dtype), integers(rng, 8, dtype)
            yield Case(symbol, "wraps " + np.dtype(dtype).name, op, [a, b], expected=[function(a, b)])
    yield from broadcast_cases("div", "Div", real)
    yield from all_reals("div", "real", "Div", [real((2, 3)), real((3,))])
    yield Case("div", "by zero", "Div", [np.array([1, -1, 0, NAN], F32), np.array(0, F32)])
    for dtype in SIGNED + UNSIGNED:
        info = np.iinfo(dtype)
        signs = [1, -1] if info.min else [1]
        a = np.array([s * v for v in (7, 9, 100) for s in signs], dtype)[:, None]
        b = np.array([s * v for v in (2, 3, 10) for s in signs], dtype)
        quotient = [[int(math.trunc(int(x) / int(y))) for y in b] for x in a[:, 0]]
        yield Case("div", info.dtype.name, "Div", [a, b], expected=[np.array(quotient, dtype)])
        yield Case("div", info.dtype.name + " by zero", "Div", [a, np.zeros(1, dtype)], expected=[np.zeros_like(a)])
        yield Case("mod", info.dtype.name, "Mod", [a, b],
                   expected=[np.array([[int(x) % int(y) for y in b] for x in a[:, 0]], dtype)])
        yield Case("mod", info.dtype.name + " fmod", "Mod", [a, b], {"fmod": 1},
                   expected=[np.array([[int(math.fmod(int(x), int(y))) for y in b] for x in a[:, 0]], dtype)])
        yield Case("mod", info.dtype.name + " by zero", "Mod", [a, np.zeros(1, dtype)], expected=[np.zeros_like(a)])
        if info.min:
            least = [np.array([info.min, info.min], dtype), np.array([-1, 1], dtype)]
            yield Case("div", info.dtype.name + " least", "Div", least, expected=[least[0]])
            yield Case("mod", info.dtype.name + " least", "Mod", least, expected=[np.zeros(2, dtype)])
    a, b = np.array([[5.5], [-5.5], [6]], F32), np.array([2, -2, 3, INF], F32)
    yield from all_reals("mod", "fmod", "Mod", [a, b], {"fmod": 1})
    yield Case("mod", "real", "Mod", [a, b[:3]], expected=[np.mod(a, b[:3])])
    yield from broadcast_cases("mod", "Mod", lambda shape: integers(rng, shape, np.int32, 1, 50))


def pow_cases(rng):
    base = rng.uniform(0.25, 3, (2, 3)).astype(F32).astype(BF16).astype(F32)
    yield from broadcast_cases("pow", "Pow", lambda shape: rng.uniform(0.5, 2, shape).astype(F32))
    yield from all_reals("pow", "real", "Pow", [base, np.array([2, 0.5, -1.5], F32)])
    for exponent in (0, 1, 2, 3, 0.5, -1):
        yield Case("pow", f"to the {exponent}", "Pow", [SPECIAL, np.array(exponent, F32)],
                   expected=[np.power(SPECIAL, np.full_like(SPECIAL, exponent))])
    for b in (F64, F32, F16, BF16):
        for e in (F64, F32, F16, BF16, *SIGNED, *UNSIGNED):
            y = np.array([0, 1, 3], e)
            expected = np.power(base.astype(F64), y.astype(F64)).astype(b)
            yield Case("pow", f"{np.dtype(b).name} {np.dtype(e).name}", "Pow", [base.astype(b), y], expected=[expected])
    for b in (np.int32, np.int64):
        x, bits = np.array([[-3], [-1], [0], [1], [2], [7]], b), np.iinfo(b).bits
        for e in SIGNED + UNSIGNED:
            y = np.array([0, 1, 2, 5, 33, 100], e)
            exact = np.array([[pow(int(p), int(q), 1 << bits) for q in y] for p in x[:, 0]], np.uint64)
            yield Case("pow", f"{np.dtype(b).name} {np.dtype(e).name}", "Pow", [x, y], expected=[exact.astype(b)])
        yield Case("pow", f"{np.dtype(b).name} negative", "Pow", [x, np.array([-1, -2], np.int8)],
                   expected=[np.array([[0, 0], [-1, 1], [0, 0], [1, 1], [0, 0], [0, 0]], b)])
        for e in (F64, F32, F16, BF16):
            y = np.array([2, 0.5, 3], e)
            expected = [[math.trunc(float(p) ** float(q)) if p >= 0 or q % 1 == 0 else 0 for q in y] for p in x[:, 0]]
            yield Case("pow", f"{np.dtype(b).name} {np.dtype(e).name}", "Pow", [x, y], expected=[np.array(expected, b)])
    huge = np.array([2**64 - 1, 2**63, 2**63 + 3], np.uint64)
    x = np.array([[3], [2], [-1]], np.int64)
    exact = np.array([[pow(int(p), int(q), 1 << 64) for q in huge] for p in x[:, 0]], np.uint64)
    yield Case("pow", "huge exponents", "Pow", [x, huge], expected=[exact.astype(np.int64)])


def bit_cases(rng):
    for dtype in UNSIGNED:
        bits, name = np.iinfo(dtype).bits, np.dtype(dtype).name
        x = np.array([[1], [5], [np.iinfo(dtype).max]], dtype)
        by = np.array([0, 1, bits - 1, bits, bits + 1, 200], dtype)
        left = [[(int(v) << int(s)) % (1 << bits) for s in by] for v in x[:, 0]]
        right = [[int(v) >> int(s) for s in by] for v in x[:, 0]]
        yield Case("bit_shift", name + " left", "BitShift", [x, by], {"direction": "LEFT"}, expected=[np.array(left, dtype)])
        yield Case("bit_shift", name + " right", "BitShift", [x, by], {"direction": "RIGHT"}, expected=[np.array(right, dtype)])
    for symbol, op, logic in (("and", "And", np.logical_and), ("or", "Or", np.logical_or), ("xor", "Xor", np.logical_xor)):
        for dtype in SIGNED + UNSIGNED:
            yield Case("bitwise_" + symbol, np.dtype(dtype).name, "Bitwise" + op,
                       [integers(rng, (3, 1), dtype), integers(rng, 4, dtype)])
        yield from broadcast_cases(symbol, op, lambda shape: rng.integers(0, 2, shape).astype(bool))


def comparison_cases(rng):
    functions = {"equal": ("Equal", np.equal), "greater": ("Greater", np.greater), "less": ("Less", np.less),
                 "greater_or_equal": ("GreaterOrEqual", np.greater_equal), "less_or_equal": ("LessOrEqual", np.less_equal)}
    for symbol, (op, function) in functions.items():
        for dtype in (F64, F32, F16, BF16):
            x = np.array([[NAN], [INF], [-INF], [0], [-1.5], [2]], dtype)
            y = np.array([NAN, INF, -INF, -0.0, -1.5, 3], dtype)
            yield Case(symbol, np.dtype(dtype).name, op, [x, y], expected=[function(x.astype(F64), y.astype(F64))])
        for dtype in SIGNED + UNSIGNED:
            info = np.iinfo(dtype)
            x = np.array([info.min, info.min + 1, 5, info.max - 1, info.max], dtype)
            yield Case(symbol, info.dtype.name, op, [x[:, None], x])
        yield from broadcast_cases(symbol, op, lambda shape: integers(rng, shape, np.int32, 0, 1))
    yield Case("equal", "bool", "Equal", [np.array([[True], [False]]), np.array([True, False])])


def fold_cases(rng):
    folds = {"max": ("Max", np.maximum), "min": ("Min", np.minimum), "sum": ("Sum", np.add), "mean": ("Mean", np.add)}
    real = lambda shape: rng.uniform(-3, 3, shape).astype(F32).astype(BF16).astype(F32)
    for symbol, (op, function) in folds.items():
        yield from broadcast_cases(symbol, op, real, (lambda x, y: (x + y) / 2) if op == "Mean" else None)
        yield from all_reals(symbol, "two", op, [real((2, 3)), real((2, 3))])
        yield Case(symbol, "one", op, [real((2, 3))])
        three = [real((3, 1)), real((1, 4)), real((2, 1, 1))]
        whole = function(function(three[0], three[1]), three[2])
        expected = whole / 3 if op == "Mean" else whole
        yield Case(symbol, "three", op, three, expected=[expected])
        yield Case(symbol, "three f64", op, [a.astype(F64) for a in three], expected=[expected.astype(F64)])
        yield Case(symbol, "three f16", op, [a.astype(F16) for a in three], expected=[expected.astype(F16)])
    x = np.array([NAN, 1, NAN, INF, -INF, 0], F32)
    y = np.array([1, NAN, NAN, -INF, INF, 2], F32)
    for symbol, (op, function) in list(folds.items())[:2]:
        yield Case(symbol, "nan", op, [x, y])
        yield Case(symbol, "nan f64", op, [x.astype(F64), y.astype(F64)])
        for dtype in SIGNED + UNSIGNED:
            a, b, c = (integers(rng, shape, dtype) for shape in ((2, 1), (3,), ()))
            yield Case(symbol, np.dtype(dtype).name, op, [a, b, c], expected=[function(function(a, b), c)])
    big = np.array([60000, 2], F16)
    yield Case("mean", "no overflow between", "Mean", [big, big], expected=[big])


def prelu_cases(rng):
    x = rng.uniform(-3, 3, (2, 3, 4)).astype(F32)
    slope = rng.uniform(-1, 1, (3, 1)).astype(F32)
    yield from all_reals("prelu", "channels", "PRelu", [x, slope])
    for shape in ((), (1,), (4,), (2, 3, 4), (1, 1, 1)):
        yield Case("prelu", f"slope {list(shape)}", "PRelu", [x, np.full(shape, 0.25, F32)])
    for dtype in SIGNED + UNSIGNED:
        y = integers(rng, (2, 5), dtype)
        with np.errstate(over="ignore"):
            expected = np.where(y < 0, y * dtype(3), y).astype(dtype)
        yield Case("prelu", np.dtype(dtype).name, "PRelu", [y, np.full(1, 3, dtype)], expected=[expected])


def where_cases(rng):
    mask = rng.integers(0, 2, (2, 3, 4)).astype(bool)
    shapes = [((2, 3, 4), (2, 3, 4), (2, 3, 4)), ((2, 3, 4), (), (2, 3, 4)), ((2, 3, 4), (2, 3, 4), ()),
              ((4,), (2, 1, 4), (3, 1)),
              ((3, 1), (), ()), ((), (2, 2), (2, 2)), ((2, 1, 1), (3, 1), (4,)), ((1, 3), (0, 3), (1,)), ((), (), ()),
              ((1, 1, 3, 4), (2, 2, 3, 4), (1,))]
    for a, b, c in shapes:
        yield Case("where", f"shapes {list(a)} {list(b)} {list(c)}", "Where",
                   [np.resize(mask, a), rng.standard_normal(b).astype(F32), rng.standard_normal(c).astype(F32)])
    for dtype in (F64, F16, *SIGNED, *UNSIGNED, bool):
        x, y = (rng.integers(0, 100, (3, 4)).astype(dtype) for _ in range(2))
        yield Case("where", np.dtype(dtype).name, "Where", [mask[0], x, y[:1, :1]])
    x = rng.standard_normal((3, 4)).astype(BF16)
    yield Case("where", "bfloat16", "Where", [mask[0], x, x[::-1].copy()], expected=[np.where(mask[0], x, x[::-1])])


def cases():
    rng = np.random.default_rng(2)
    np.seterr(all="ignore")
    yield from real_unary_cases(rng)
    yield from integer_unary_cases()
    yield from test_cases()
    yield from clip_cases(rng)
    yield from arithmetic_cases(rng)
    yield from pow_cases(rng)
    yield from bit_cases(rng)
    yield from comparison_cases(rng)
    yield from fold_cases(rng)
    yield from prelu_cases(rng)
    yield from where_cases(rng)
