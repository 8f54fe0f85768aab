# SPDX-License-Identifier: Apache-2.0
"""Cases of the operators along axes: reductions, ArgMax, TopK, CumSum, Softmax and the normalizations."""
import ml_dtypes
import numpy as np
from case import Case, Constant

F32, F64, F16, I64 = np.float32, np.float64, np.float16, np.int64
REDUCTIONS = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]
WHOLE = {"Sum", "Max", "Min", "Prod", "L1", "SumSquare"}


def snake(name):
    return "reduce_" + {"LogSumExp": "log_sum_exp", "LogSum": "log_sum", "SumSquare": "sum_square"}.get(name, name.lower())


def fold(name, x, axes, keep):
    """The reduction in double."""
    x, axes = x.astype(F64), tuple(axes)
    with np.errstate(all="ignore"):
        if name == "LogSumExp":
            return np.log(np.sum(np.exp(x), axes, keepdims=keep))
        if name in ("Max", "Min"):
            return (np.max if name == "Max" else np.min)(x, axes, keepdims=keep)
        if name in ("Prod", "Mean"):
            return (np.prod if name == "Prod" else np.mean)(x, axes, keepdims=keep)
        s = np.sum({"L1": np.abs, "L2": np.square, "SumSquare": np.square}.get(name, lambda v: v)(x), axes, keepdims=keep)
        return {"L2": np.sqrt, "LogSum": np.log}.get(name, lambda v: v)(s)


def reductions(rng):
    x = rng.uniform(0.2, 2, (2, 3, 2, 3)).astype(F32)
    neutral = {"Max": -np.inf, "Min": np.inf, "Prod": 1, "LogSum": -np.inf, "LogSumExp": -np.inf, "Mean": np.nan}
    for name in REDUCTIONS:
        def case(what, value, axes, attributes=None, constant=True):
            attributes = attributes or {}
            keep = bool(attributes.get("keepdims", 1))
            given = list(axes) if axes else ([] if attributes.get("noop_with_empty_axes") else range(value.ndim))
            y = fold(name, value, given, keep).astype(value.dtype)
            inputs = [value] + ([] if axes is None else [(Constant if constant else lambda v: v)(np.array(axes, I64))])
            return Case(snake(name), what, "Reduce" + name, inputs, attributes, expected=[y])
        yield case("last", x, [-1])
        yield case("first", x, [0], {"keepdims": 0})
        yield case("two apart", x, [0, 2])
        yield case("two apart, at run time", x, [3, 1], constant=False)
        yield case("at run time, dropped", x, [1], {"keepdims": 0}, constant=False)
        yield case("all", x, None)
        yield case("all, dropped", x, None, {"keepdims": 0})
        yield case("empty list", x, [])
        yield case("no axes", x, [], {"noop_with_empty_axes": 1})
        yield case("ones", x[:, :1, :, :1].copy(), [1, 3])
        yield case("scalar", np.array(1.5, F32), None)
        yield case("halves", x.astype(F16), [2])
        yield case("bf16", x[0, 0].astype(ml_dtypes.bfloat16), [0])
        yield case("double", x.astype(F64), [1, 2])
        yield case("many", rng.uniform(0.9, 1.1, (600,)).astype(F32), [0])
        yield case("wide rows", rng.uniform(0.9, 1.1, (3, 700)).astype(F32), [0])
        empty = np.full((2, 1, 4), neutral.get(name, 0), F32)
        yield Case(snake(name), "of nothing", "Reduce" + name, [np.zeros((2, 0, 4), F32), Constant(np.array([1], I64))], expected=[empty])
        yield Case(snake(name), "nothing left", "Reduce" + name, [np.zeros((0, 3), F32), Constant(np.array([1], I64))],
                   expected=[np.zeros((0, 1), F32)])
        for dtype in (np.int32, np.int64, np.uint32, np.uint64, np.int8, np.uint8, np.int16, np.uint16):
            whole = rng.integers(0 if np.dtype(dtype).kind == "u" else -1 if name not in ("LogSum", "L2") else 1, 3, (3, 4)).astype(dtype)
            y = np.trunc(fold(name, whole, [0], True))
            if name in ("LogSum", "LogSumExp"):
                whole = np.abs(whole.astype(I64)).astype(dtype) + dtype(1)
                y = np.trunc(fold(name, whole, [0], True))
            yield Case(snake(name), np.dtype(dtype).name, "Reduce" + name, [whole, Constant(np.array([0], I64))], expected=[y.astype(dtype)])
    wrap = np.array([[100, 100], [-128, -128], [7, 9]], np.int8)
    axes = Constant(np.array([1], I64))
    yield Case("reduce_sum", "wraps", "ReduceSum", [wrap, axes], expected=[np.array([[-56], [0], [16]], np.int8)])
    yield Case("reduce_l1", "wraps", "ReduceL1", [wrap, axes], expected=[np.array([[-56], [0], [16]], np.int8)])
    yield Case("reduce_sum_square", "wraps", "ReduceSumSquare", [wrap, axes],
               expected=[np.array([[20000 % 256], [0], [130]], np.int64).astype(np.int8)])
    big = np.array([2**62, 2**62, 2**62], I64)
    yield Case("reduce_prod", "wraps", "ReduceProd", [big], expected=[np.array([0], I64)])
    yield Case("reduce_max", "largest", "ReduceMax", [np.array([2**64 - 1, 1], np.uint64)], expected=[np.array([2**64 - 1], np.uint64)])
    odd = np.array([[1, np.nan, 3], [np.inf, -np.inf, 0], [-np.inf] * 3], F32)
    for name in ("Max", "Min", "LogSumExp"):
        with np.errstate(all="ignore"):
            y = np.log(np.exp(odd).sum(1, keepdims=True)) if name == "LogSumExp" else getattr(np, name.lower())(odd, 1, keepdims=True)
        yield Case(snake(name), "odd numbers", "Reduce" + name, [odd, axes], expected=[y])
    yield Case("reduce_log_sum_exp", "large", "ReduceLogSumExp", [np.array([[1000, 1000], [-1000, -1001]], F32), axes],
               expected=[np.array([[1000 + np.log(2)], [-1000 + np.log1p(np.exp(-1))]], F32)])
    truth = np.array([[True, False], [False, False], [True, True]])
    yield Case("reduce_max", "bool", "ReduceMax", [truth, axes], expected=[truth.any(1, keepdims=True)])
    yield Case("reduce_min", "bool", "ReduceMin", [truth, axes], expected=[truth.all(1, keepdims=True)])
    for name, ends in (("Max", (-128, 0, False)), ("Min", (127, 255, True))):
        for dtype, end in zip((np.int8, np.uint8, bool), ends):
            yield Case(snake(name), "of nothing " + np.dtype(dtype).name, "Reduce" + name, [np.zeros((0, 2), dtype), Constant(np.array([0], I64))],
                       expected=[np.full((1, 2), end, dtype)])


def searches(rng):
    x = rng.integers(-3, 4, (2, 3, 4)).astype(F32)
    for symbol, op in (("arg_max", "ArgMax"), ("arg_min", "ArgMin")):
        yield Case(symbol, "default", op, [x])
        for last in (0, 1):
            yield Case(symbol, f"last axis {last}", op, [x], {"axis": -1, "select_last_index": last})
            yield Case(symbol, f"middle {last}", op, [x], {"axis": 1, "keepdims": 0, "select_last_index": last})
        for dtype in (F16, F64, np.int8, np.int16, np.int32, I64):
            yield Case(symbol, np.dtype(dtype).name, op, [x.astype(dtype)], {"axis": 2})
        for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
            yield Case(symbol, np.dtype(dtype).name, op, [np.abs(x).astype(dtype)], {"axis": 1})
        odd = np.array([[1, np.nan, 3, np.nan], [np.inf, 0, -np.inf, np.inf]], F32)
        wins = {"ArgMax": ([1, 0], [3, 3]), "ArgMin": ([1, 2], [3, 2])}[op]
        for last in (0, 1):
            yield Case(symbol, f"odd numbers {last}", op, [odd], {"axis": 1, "keepdims": 0, "select_last_index": last},
                       expected=[np.array(wins[last], I64)])
            yield Case(symbol, f"odd doubles {last}", op, [odd.astype(F64)], {"axis": 1, "keepdims": 0, "select_last_index": last},
                       expected=[np.array(wins[last], I64)])
        yield Case(symbol, "no rows", op, [np.zeros((0, 3), F32)], {"axis": 1}, expected=[np.zeros((0, 1), I64)])

    def topk(name, value, k, attributes=None, expected=None, constant=True):
        axis, largest = (attributes or {}).get("axis", -1), (attributes or {}).get("largest", 1)
        if expected is None:
            key = -value.astype(F64) if largest else value.astype(F64)
            at = np.take(np.argsort(key, axis, kind="stable"), range(k), axis)
            expected = [np.take_along_axis(value, at, axis), at.astype(I64)]
        return Case("topk", name, "TopK", [value, (Constant if constant else lambda v: v)(np.array([k], I64))], attributes,
                    outputs=2, expected=expected)
    y = rng.integers(-9, 10, (3, 7, 2)).astype(F32)
    for k in (0, 1, 3, 7):
        yield topk(f"middle {k}", y, k, {"axis": 1})
        yield topk(f"smallest {k}", y, k, {"axis": 1, "largest": 0, "sorted": 0})
    yield topk("at run time", y, 2, {"axis": -3}, constant=False)
    yield topk("last", rng.standard_normal((2, 50)).astype(F32), 11)
    for dtype in (F16, F64, np.int8, np.int16, np.int32, I64):
        yield topk(np.dtype(dtype).name, y.astype(dtype), 4, {"axis": 1})
        yield topk("smallest " + np.dtype(dtype).name, y.astype(dtype), 4, {"axis": 1, "largest": 0})
    for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
        yield topk(np.dtype(dtype).name, np.abs(y).astype(dtype), 4, {"axis": 1})
    odd = np.array([1, np.nan, -np.inf, np.inf, np.nan, -0.0, 0.0], F32)
    yield topk("odd numbers", odd, 6, expected=[odd[[1, 4, 3, 0, 5, 6]], np.array([1, 4, 3, 0, 5, 6], I64)])
    yield topk("odd numbers, smallest", odd, 6, {"largest": 0}, expected=[odd[[2, 5, 6, 0, 3, 1]], np.array([2, 5, 6, 0, 3, 1], I64)])
    yield topk("no rows", np.zeros((0, 3), F32), 2)


def cum_sums(rng):
    x = rng.standard_normal((2, 3, 4)).astype(F32)
    for axis in (0, 1, -1):
        for exclusive in (0, 1):
            for reverse in (0, 1):
                yield Case("cum_sum", f"{axis} {exclusive} {reverse}", "CumSum", [x, np.array(axis, I64)],
                           {"exclusive": exclusive, "reverse": reverse})
    yield Case("cum_sum", "list", "CumSum", [x, Constant(np.array([1], np.int32))], expected=[np.cumsum(x, 1)])
    for dtype in (F16, F64, np.int32, I64):
        yield Case("cum_sum", np.dtype(dtype).name, "CumSum", [(x * 5).astype(dtype), np.array(1, I64)])
    for dtype in (np.uint32, np.uint64):
        top = np.array([np.iinfo(dtype).max, 2, 3], dtype)
        yield Case("cum_sum", np.dtype(dtype).name, "CumSum", [top, np.array(0, I64)])
    yield Case("cum_sum", "wraps", "CumSum", [np.array([2**31 - 1, 1, 1], np.int32), np.array(0, I64)],
               expected=[np.array([2**31 - 1, -(2**31), -(2**31) + 1], np.int32)])
    yield Case("cum_sum", "empty", "CumSum", [np.zeros((2, 0), F32), np.array(1, I64)])


def maxima(rng):
    x = (3 * rng.standard_normal((2, 3, 20))).astype(F32)
    for symbol, op in (("softmax", "Softmax"), ("log_softmax", "LogSoftmax"), ("hardmax", "Hardmax")):
        def result(v, axis):
            w = v.astype(F64)
            if op == "Hardmax":
                return (np.arange(v.shape[axis]).reshape([-1 if i == axis % v.ndim else 1 for i in range(v.ndim)]) ==
                        np.argmax(w, axis, keepdims=True)).astype(v.dtype)
            e = np.exp(w - w.max(axis, keepdims=True))
            s = e.sum(axis, keepdims=True)
            return (e / s if op == "Softmax" else w - w.max(axis, keepdims=True) - np.log(s)).astype(v.dtype)
        yield Case(symbol, "default", op, [x])
        for axis in (0, 1, -2):
            yield Case(symbol, f"axis {axis}", op, [x], {"axis": axis}, expected=[result(x, axis)])
        for dtype in (F16, F64, ml_dtypes.bfloat16):
            yield Case(symbol, np.dtype(dtype).name, op, [x.astype(dtype)], {"axis": 2}, expected=[result(x.astype(dtype), 2)])
            yield Case(symbol, np.dtype(dtype).name + " first", op, [x.astype(dtype)], {"axis": 0}, expected=[result(x.astype(dtype), 0)])
        yield Case(symbol, "large", op, [np.array([[0, 1, 2, 3], [10000, 10001, 10002, 10003]], F32)])
        yield Case(symbol, "empty", op, [np.zeros((2, 0, 3), F32)], {"axis": 1}, expected=[np.zeros((2, 0, 3), F32)])
        yield Case(symbol, "scalar", op, [np.array(3, F32)], expected=[np.array(0 if op == "LogSoftmax" else 1, F32)])


def normalizations(rng):
    x = (2 + 3 * rng.standard_normal((2, 3, 4, 5))).astype(F32)

    def layer(name, value, scale, bias, attributes=None, outputs=1, stash=F32):
        axis, eps = (attributes or {}).get("axis", -1), (attributes or {}).get("epsilon", 1e-5)
        axes = tuple(range(axis % value.ndim, value.ndim))
        w = value.astype(F64)
        mean, var = w.mean(axes, keepdims=True), w.var(axes, keepdims=True)
        y = (w - mean) / np.sqrt(var + eps) * scale.astype(F64) + (0 if bias is None else bias.astype(F64))
        expected = [y.astype(value.dtype), mean.astype(stash), (1 / np.sqrt(var + eps)).astype(stash)][:outputs]
        return Case("layer_normalization", name, "LayerNormalization", [value, scale] + ([] if bias is None else [Constant(bias)]),
                    attributes, outputs=outputs, expected=expected)

    def rms(name, value, scale, attributes=None, old=None):
        axis, eps = (attributes or {}).get("axis", -1), (attributes or {}).get("epsilon", 1e-5)
        axes = tuple(range(axis % value.ndim, value.ndim))
        w = value.astype(F64)
        inverse = 1 / np.sqrt(np.mean(w * w, axes, keepdims=True) + eps)
        symbol, op = ("simplified_layer_normalization", "SimplifiedLayerNormalization") if old else ("rms_normalization", "RMSNormalization")
        return Case(symbol, name, op, [value, scale], attributes, outputs=old or 1,
                    expected=[(w * inverse * scale.astype(F64)).astype(value.dtype), inverse.astype(F32)][:old or 1])

    def weights(*shape, dtype=F32):
        return rng.standard_normal(shape).astype(dtype)
    for outputs in (1, 2, 3):
        yield layer(f"last, {outputs}", x, weights(5), weights(5), outputs=outputs)
        yield layer(f"from 1, {outputs}", x, weights(3, 4, 5), weights(3, 4, 5), {"axis": 1, "epsilon": 0.1}, outputs)
    yield layer("no bias", x, weights(4, 5), None, {"axis": -2})
    yield layer("all", x, weights(2, 3, 4, 5), weights(2, 3, 4, 5), {"axis": 0}, 3)
    yield layer("broadcast", x, weights(4, 1), weights(1), {"axis": 2})
    yield layer("by row", x, weights(3, 1, 5), weights(1, 1, 1, 5), {"axis": 3})
    yield layer("far from 0", x + 20, weights(5), weights(5))
    yield layer("halves", x.astype(F16), weights(5, dtype=F16), weights(5, dtype=F16), outputs=3)
    yield layer("bf16", x.astype(ml_dtypes.bfloat16), weights(5).astype(ml_dtypes.bfloat16), weights(5).astype(ml_dtypes.bfloat16))
    yield layer("double", x.astype(F64), weights(5, dtype=F64), weights(5, dtype=F64), {"stash_type": 11}, 3, F64)
    yield layer("double, f32 means", x.astype(F64), weights(5, dtype=F64), weights(5, dtype=F64), {"stash_type": 1}, 3)
    yield layer("no rows", np.zeros((0, 5), F32), weights(5), weights(5), outputs=3)
    for old in (None, 1, 2):
        yield rms("last", x, weights(5), old=old)
        yield rms("from 1", x, weights(3, 4, 5), {"axis": 1, "epsilon": 0.1}, old)
        yield rms("broadcast", x, weights(4, 1), {"axis": -2}, old)
        yield rms("halves", x.astype(F16), weights(5, dtype=F16), old=old)
        yield rms("double", x.astype(F64), weights(5, dtype=F64), old=old)
        yield rms("many", rng.standard_normal((2, 100)).astype(F32), weights(100), old=old)

    def group(name, value, groups, attributes=None):
        scale, bias = weights(value.shape[1], dtype=value.dtype), weights(value.shape[1], dtype=value.dtype)
        w = value.astype(F64).reshape((value.shape[0], groups, -1))
        eps = (attributes or {}).get("epsilon", 1e-5)
        w = ((w - w.mean(2, keepdims=True)) / np.sqrt(w.var(2, keepdims=True) + eps)).reshape(value.shape)
        s = (1, -1) + (1,) * (value.ndim - 2)
        return Case("group_normalization", name, "GroupNormalization", [value, scale, Constant(bias)],
                    {**(attributes or {}), "num_groups": groups},
                    expected=[(w * scale.reshape(s).astype(F64) + bias.reshape(s).astype(F64)).astype(value.dtype)])
    z = rng.standard_normal((2, 6, 4, 3)).astype(F32)
    yield group("two", z, 2)
    yield group("one", z, 1, {"epsilon": 0.01})
    yield group("each", z, 6)
    yield group("flat", z[:, :, 0, 0].copy(), 3)
    yield group("halves", z.astype(F16), 2)
    yield group("double", z.astype(F64), 2)
    for name, value, axes in (("default", x, None), ("last", x, [-1]), ("double", x.astype(F64), [0, 1]), ("halves", x.astype(F16), [3])):
        w, a = value.astype(F64), tuple(axes or (0, 2, 3))
        y = (w - w.mean(a, keepdims=True)) / (w.std(a, keepdims=True) + 1e-9)
        yield Case("mean_variance_normalization", name, "MeanVarianceNormalization", [value], {"axes": axes} if axes else {},
                   expected=[y.astype(value.dtype)])
    mask = np.ones(x.shape, bool)
    yield Case("dropout", "plain", "Dropout", [x], expected=[x])
    yield Case("dropout", "mask", "Dropout", [x, np.array(0.3, F32)], outputs=2, expected=[x, mask])
    yield Case("dropout", "ratio 0", "Dropout", [x, np.array(0, F32), np.array(True)], outputs=2, expected=[x, mask])
    yield Case("dropout", "no ratio", "Dropout", [x.astype(F16), None, np.array(False)], {"seed": 5}, outputs=2, expected=[x.astype(F16), mask])


def cases():
    rng = np.random.default_rng(2)
    for part in (reductions, searches, cum_sums, maxima, normalizations):
        yield from part(rng)
