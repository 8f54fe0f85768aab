# SPDX-License-Identifier: Apache-2.0
"""Cases of operators that make shapes, move elements and change their type."""
import ml_dtypes
import numpy as np
from case import Case, Constant
from onnx import TensorProto as T

I64 = np.int64
MEET = {"none": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def ints(*values):
    return np.array(values, I64)


def const(*values):
    return Constant(ints(*values))


def casts(rng):
    reals = np.array([0, -0.0, 0.3, -0.7, 1.5, 2.5, -3.49, 100.2, 127, 3e5, -1e30, np.inf, -np.inf, np.nan, 5e-5, 449], np.float32)
    tame = np.array([[0, -1, 1.5, 2.5], [-3.49, 100.2, 127, 0.9]], np.float32)
    for name, to, dtype in [("f64", T.DOUBLE, np.float64), ("f16", T.FLOAT16, np.float16), ("bf16", T.BFLOAT16, ml_dtypes.bfloat16),
                            ("bool", T.BOOL, bool), ("e2m1", T.FLOAT4E2M1, ml_dtypes.float4_e2m1fn)]:
        with np.errstate(all="ignore"):
            yield Case("cast", "f32 to " + name, "Cast", [reals], {"to": to}, expected=[reals.astype(dtype)])
    for name, to, dtype in [("i64", T.INT64, I64), ("i32", T.INT32, np.int32), ("i16", T.INT16, np.int16), ("i8", T.INT8, np.int8)]:
        yield Case("cast", "f32 to " + name, "Cast", [tame], {"to": to})
        yield Case("cast", "f16 to " + name, "Cast", [tame.astype(np.float16)], {"to": to})
    for name, to in [("e4m3", T.FLOAT8E4M3FN), ("e4m3fnuz", T.FLOAT8E4M3FNUZ), ("e5m2", T.FLOAT8E5M2), ("e5m2fnuz", T.FLOAT8E5M2FNUZ)]:
        for saturate in (0, 1):
            yield Case("cast", f"f32 to {name} {saturate}", "Cast", [reals], {"to": to, "saturate": saturate})
    wide = np.array([0, 1, -1, 200, -129, 65537, 2**33 + 5, -2**63, 2**63 - 1], I64)
    for name, to, dtype in [("i8", T.INT8, np.int8), ("u8", T.UINT8, np.uint8), ("u32", T.UINT32, np.uint32), ("i32", T.INT32, np.int32),
                            ("u64", T.UINT64, np.uint64), ("f32", T.FLOAT, np.float32), ("f64", T.DOUBLE, np.float64), ("bool", T.BOOL, bool)]:
        yield Case("cast", "i64 to " + name, "Cast", [wide], {"to": to})
    small = np.arange(-8, 16, dtype=np.int8)
    for name, to, dtype in [("i4", T.INT4, ml_dtypes.int4), ("u4", T.UINT4, ml_dtypes.uint4), ("i2", 26, ml_dtypes.int2), ("u2", 25, ml_dtypes.uint2)]:
        wrapped = small.astype(dtype)
        yield Case("cast", "i8 to " + name, "Cast", [small], {"to": to}, expected=[wrapped])
        yield Case("cast", "f32 to " + name, "Cast", [wrapped.astype(np.float32) * 1.01], {"to": to}, expected=[wrapped])
        for target, number in [(np.float32, T.FLOAT), (np.float16, T.FLOAT16), (np.int8, T.INT8), (np.int32, T.INT32)]:
            yield Case("cast", f"{name} to {target.__name__}", "Cast", [wrapped], {"to": number}, expected=[wrapped.astype(target)])
    scales = np.array([1, 1.1, 1.5, 0.3, 4, 1e-40, 3.1e38, np.nan], np.float32)
    codes = {"up": [127, 128, 128, 126, 129, 0, 254, 255], "down": [127, 127, 127, 125, 129, 0, 254, 255],
             "nearest": [127, 127, 128, 125, 129, 0, 254, 255]}
    for mode, expected in codes.items():
        yield Case("cast", "e8m0 " + mode, "Cast", [scales], {"to": T.FLOAT8E8M0, "round_mode": mode},
                   expected=[np.array(expected, np.uint8).view(ml_dtypes.float8_e8m0fnu)])
    yield Case("cast", "same type", "Cast", [reals], {"to": T.FLOAT})
    yield Case("cast", "empty", "Cast", [reals[:0]], {"to": T.INT64})
    yield Case("cast", "scalar", "Cast", [np.array(3.7)], {"to": T.INT64})
    yield Case("cast", "long", "Cast", [rng.standard_normal(700).astype(np.float32) * 100], {"to": T.INT32})
    yield Case("cast_like", "like", "CastLike", [reals, np.zeros(1, np.float16)])
    yield Case("cast_like", "unsaturated", "CastLike", [reals, np.zeros(1, ml_dtypes.float8_e5m2)], {"saturate": 0})
    f = np.array([1.5, -2], np.float32)
    yield Case("bit_cast", "f32 to i32", "BitCast", [f], {"to": T.INT32}, expected=[f.view(np.int32)])
    i4 = np.array([-8, -1, 7, 0], ml_dtypes.int4)
    yield Case("bit_cast", "i4 to u4", "BitCast", [i4], {"to": T.UINT4}, expected=[np.array([8, 15, 7, 0], ml_dtypes.uint4)])
    yield Case("bit_cast", "u4 to i4", "BitCast", [np.array([8, 15, 7, 0], ml_dtypes.uint4)], {"to": T.INT4}, expected=[i4])
    yield Case("bit_cast", "i4 to e2m1", "BitCast", [i4], {"to": T.FLOAT4E2M1},
               expected=[np.array([8, 15, 7, 0], np.uint8).view(ml_dtypes.float4_e2m1fn)])


def shapes(x):
    for attributes in ({}, {"start": 1}, {"start": -2, "end": -1}, {"end": 99}, {"start": 2, "end": 1}, {"start": -99}):
        yield Case("shape", str(attributes), "Shape", [x], attributes)
    yield Case("shape", "scalar", "Shape", [np.array(1.0)])
    yield Case("size", "some", "Size", [x])
    yield Case("size", "scalar", "Size", [np.array(1.0)])
    yield Case("size", "empty", "Size", [x[:0]])
    for kind in (lambda *v: const(*v), ints):
        yield Case("reshape", "plain", "Reshape", [x, kind(4, 6)])
        yield Case("reshape", "open", "Reshape", [x, kind(-1, 3, 2)])
        yield Case("reshape", "copied", "Reshape", [x, kind(0, 0, 2, -1)])
        yield Case("reshape", "scalar", "Reshape", [x[:1, :1, :1], Constant(np.zeros(0, I64))])
        yield Case("reshape", "zeros", "Reshape", [x[:0], kind(5, 0, 7)], {"allowzero": 1})
        yield Case("reshape", "empty open", "Reshape", [x[:, :0], kind(0, -1, 2)])
    for axis in (0, 1, 2, 3, -1, -3):
        yield Case("flatten", f"axis {axis}", "Flatten", [x], {"axis": axis})
    yield Case("flatten", "scalar", "Flatten", [np.array(2, np.int8)], {"axis": 0})
    ones = x.reshape(1, 2, 1, 3, 4, 1)
    yield Case("squeeze", "all", "Squeeze", [ones])
    yield Case("squeeze", "absent", "Squeeze", [ones, None])
    yield Case("squeeze", "some", "Squeeze", [ones, const(0, -1)])
    yield Case("squeeze", "given", "Squeeze", [ones, ints(2)])
    yield Case("unsqueeze", "some", "Unsqueeze", [x, const(0, -1)])
    yield Case("unsqueeze", "disorder", "Unsqueeze", [x, const(4, 1)])
    yield Case("unsqueeze", "given", "Unsqueeze", [x, ints(1)])
    yield Case("unsqueeze", "scalar", "Unsqueeze", [np.array(1.5), const(0)])
    row = x[:1, :, :1]
    yield Case("expand", "both", "Expand", [row, const(2, 1, 4)])
    yield Case("expand", "more dimensions", "Expand", [row, const(2, 1, 1, 5)])
    yield Case("expand", "fewer", "Expand", [row, ints(4)])
    yield Case("expand", "none", "Expand", [x, const(1)])
    yield Case("expand", "empty", "Expand", [row, const(0, 3, 1)])
    yield Case("expand", "halves", "Expand", [row.astype(np.float16), const(3, 3, 3)])


def makers(x):
    for name, values in [("up", (0, 10, 3)), ("down", (10, 4, -2)), ("none", (3, 3, 1)), ("far", (-2**63, 2**63 - 1, 2**62))]:
        arrays = [np.array(v, I64) for v in values]
        count = max(0, -((values[0] - values[1]) // values[2]))
        expected = [np.array([values[0] + i * values[2] for i in range(count)], I64)]
        yield Case("range", name, "Range", arrays, expected=expected)
        yield Case("range", name + " constant", "Range", [Constant(a) for a in arrays], expected=expected)
    yield Case("range", "reals", "Range", [np.array(v, np.float32) for v in (1, 2.05, 0.25)])
    for dtype in (np.float16, ml_dtypes.bfloat16):
        yield Case("range", np.dtype(dtype).name, "Range", [np.array(v, dtype) for v in (1, 3, 0.25)], expected=[np.arange(1, 3, 0.25).astype(dtype)])
    yield Case("range", "doubles", "Range", [np.array(v, np.float64) for v in (1, -1, -0.5)])
    yield Case("range", "i32", "Range", [Constant(np.array(v, np.int32)) for v in (-4, 5, 2)])
    yield Case("range", "i16", "Range", [np.array(v, np.int16) for v in (5, 1, -1)])
    for name, value in [("zeros", np.zeros(1, np.float32)), ("i64", ints(7)), ("bool", np.array([True]))]:
        for kind in (const(2, 3), ints(2, 3)):
            yield Case("constant_of_shape", name, "ConstantOfShape", [kind, Constant(value)], expected=[np.full((2, 3), value[0])])
    yield Case("constant_of_shape", "scalar", "ConstantOfShape", [Constant(np.zeros(0, I64)), Constant(ints(7))], expected=[np.array(7)])
    yield Case("constant_of_shape", "empty", "ConstantOfShape", [const(3, 0), Constant(ints(7))], expected=[np.zeros((3, 0), I64)])
    for k in (0, 1, -2, 5, -9):
        yield Case("eye_like", f"k {k}", "EyeLike", [x[0]], {"k": k}, expected=[np.eye(3, 4, k, dtype=np.float32)])
    yield Case("eye_like", "f16", "EyeLike", [x[0].astype(np.int32)], {"dtype": T.FLOAT16}, expected=[np.eye(3, 4, dtype=np.float16)])


def movers(rng, x):
    yield Case("transpose", "reversed", "Transpose", [x])
    for perm in ([0, 2, 1], [1, 0, 2], [2, 0, 1], [0, 1, 2]):
        yield Case("transpose", str(perm), "Transpose", [x], {"perm": perm})
    yield Case("transpose", "views", "Transpose", [x[:, :1]], {"perm": [1, 0, 2]})
    for dtype in (np.int8, np.float16, np.float64, bool):
        big = (rng.standard_normal((3, 19, 33)) * 20).astype(dtype)
        yield Case("transpose", f"big {np.dtype(dtype)}", "Transpose", [big], {"perm": [2, 0, 1]})
    yield Case("transpose", "heads", "Transpose", [rng.standard_normal((2, 5, 3, 4)).astype(np.float32)], {"perm": [0, 2, 1, 3]})
    yield Case("transpose", "keys", "Transpose", [rng.standard_normal((2, 5, 3, 4)).astype(np.float32)], {"perm": [0, 2, 3, 1]})
    yield Case("transpose", "empty", "Transpose", [x[:, :0]])
    yield Case("transpose", "scalar", "Transpose", [np.array(1.5)])
    for axis in (0, 1, 2, -1):
        y = np.take(x, [0, 0, 1], axis)
        yield Case("concat", f"axis {axis}", "Concat", [x, y, Constant(x)], {"axis": axis})
    yield Case("concat", "one", "Concat", [x], {"axis": 0})
    yield Case("concat", "empties", "Concat", [x[:, :0], x, x[:, :0]], {"axis": 1})
    yield Case("concat", "i64", "Concat", [ints(1, 2), ints(3)], {"axis": 0})
    yield Case("split", "sizes", "Split", [x, const(1, 0, 3)], {"axis": 2}, outputs=3)
    yield Case("split", "given sizes", "Split", [x, ints(2, 1)], {"axis": -2}, outputs=2)
    yield Case("split", "number", "Split", [x], {"axis": 1, "num_outputs": 2}, outputs=2)
    parts = np.split(x, 2, 2)
    yield Case("split", "equal", "Split", [x], {"axis": 2}, outputs=2, expected=parts)
    yield Case("split", "first", "Split", [x], outputs=2, expected=np.split(x, 2))
    least, most = -2**63, 2**63 - 1
    for name, starts, ends, axes, steps in [
            ("plain", [1, 0], [2, 3], None, None), ("axes", [1], [-1], [-1], None), ("steps", [0, 3], [most, least], [1, 2], [2, -1]),
            ("reversed", [most], [least], [2], [-2]), ("beyond", [-100], [100], [0], [1]), ("none", [2], [1], [1], [1]),
            ("far steps", [3, 0], [least, most], [2, 1], [least, most]), ("whole", [0], [most], [1], [1]), ("late", [9], [12], [1], [1])]:
        for kind in (Constant, lambda v: v):
            inputs = [x] + [None if v is None else kind(np.array(v, I64)) for v in (starts, ends, axes, steps)]
            while inputs[-1] is None:
                inputs.pop()
            index = [slice(None)] * 3
            for i, a in enumerate(axes or range(len(starts))):
                index[a] = slice(starts[i], None if steps and steps[i] < 0 and ends[i] == least else ends[i], steps[i] if steps else 1)
            yield Case("slice", name, "Slice", inputs, expected=[x[tuple(index)]])
    yield Case("slice", "steps without axes", "Slice", [x, const(0, 0, 0), const(9, 9, 9), None, const(1, 2, 3)], expected=[x[:, ::2, ::3]])
    yield Case("slice", "i32 of bytes", "Slice", [np.arange(9, dtype=np.uint8), *[Constant(np.array([v], np.int32)) for v in (7, 0, 0, -3)]],
               expected=[np.arange(9, dtype=np.uint8)[7:0:-3]])


def pads(x):
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield Case("pad", mode, "Pad", [x, const(0, 1, 2, 0, 2, 1)], {"mode": mode},
                   expected=[np.pad(x, [(0, 0), (1, 2), (2, 1)], mode=mode)])
        yield Case("pad", mode + " far", "Pad", [x, ints(3, 0, 0, 5, 0, 9)], {"mode": mode},
                   expected=[np.pad(x, [(3, 5), (0, 0), (0, 9)], mode=mode)])
        yield Case("pad", mode + " less", "Pad", [x, const(0, -1, 1, 0, 0, -2)], {"mode": mode},
                   expected=[np.pad(x[:, 1:, :2], [(0, 0), (0, 0), (1, 0)], mode=mode)])
    yield Case("pad", "value", "Pad", [x, const(1, 0, 0, 0, 0, 1), Constant(np.array(2.5, np.float32))],
               expected=[np.pad(x, [(1, 0), (0, 0), (0, 1)], constant_values=2.5)])
    yield Case("pad", "axes", "Pad", [x, const(1, 2), None, const(-1)], expected=[np.pad(x, [(0, 0), (0, 0), (1, 2)])])
    yield Case("pad", "bools", "Pad", [np.array([True]), const(1, 1), np.array(True), const(0)], expected=[np.array([True] * 3)])
    yield Case("pad", "away", "Pad", [x, const(-1, 0, 0, -1, 0, 0)], expected=[x[:0]])
    yield Case("pad", "empty", "Pad", [x[:0], const(1, 0, 0, 0, 0, 0)], expected=[np.zeros((1, 3, 4), np.float32)])


def others(rng, x):
    yield Case("tile", "some", "Tile", [x, const(2, 1, 3)])
    yield Case("tile", "given", "Tile", [x, ints(1, 2, 1)])
    yield Case("tile", "none", "Tile", [x, const(1, 0, 1)])
    yield Case("tile", "halves", "Tile", [x.astype(np.float16), const(2, 2, 2)])
    for upper in (0, 1):
        for k in (0, 1, -1, 3, 9, -9, 2**63 - 1, -2**63):
            expected = (np.triu if upper else np.tril)(x, max(min(k, 99), -99))
            yield Case("trilu", f"upper {upper} k {k}", "Trilu", [x, np.array(k, I64)], {"upper": upper}, expected=[expected])
    yield Case("trilu", "default", "Trilu", [ints(1, 2, 3, 4).reshape(2, 2)])
    yield Case("trilu", "empty", "Trilu", [x[:, :0]])
    for axis, condition in [(0, [0, 1]), (1, [1, 0, 1]), (-1, [0, 1, 0, 1]), (2, [0, 1])]:
        condition = np.array(condition, bool)
        yield Case("compress", f"axis {axis}", "Compress", [x, condition], {"axis": axis}, expected=[np.compress(condition, x, axis)])
    yield Case("compress", "flat", "Compress", [x, np.array([0, 1, 1, 0, 1], bool)])
    yield Case("compress", "none", "Compress", [x, np.array([False])], {"axis": 1})
    holes = np.array([[[0, 1], [-0.0, np.nan]], [[2, 0], [0, 0]]], np.float32)
    yield Case("non_zero", "reals", "NonZero", [holes])
    yield Case("non_zero", "long", "NonZero", [(rng.integers(0, 3, (7, 90)) == 0)])
    yield Case("non_zero", "none", "NonZero", [np.zeros((2, 3), np.int32)])
    yield Case("non_zero", "scalar", "NonZero", [np.array(5)], expected=[np.zeros((0, 1), I64)])
    at = np.array([[0, 2], [-1, 7]], I64)
    for axis in (-1, 0, 1):
        yield Case("one_hot", f"axis {axis}", "OneHot", [at, const(3), Constant(np.array([-1, 5], np.float32))], {"axis": axis},
                   expected=[np.moveaxis(np.where((at[..., None] % 3 == np.arange(3)) & (at[..., None] < 3), np.float32(5), np.float32(-1)),
                                         -1, axis)])
    yield Case("one_hot", "reals", "OneHot", [np.array([1.0, 0.0], np.float32), np.array(2.0, np.float32), ints(0, 1)])
    yield Case("one_hot", "no depth", "OneHot", [np.array([1]), const(0), ints(0, 1)], expected=[np.zeros((1, 0), I64)])


def gathers(rng, x):
    for axis in (0, 1, -1):
        yield Case("gather", f"axis {axis}", "Gather", [x, np.array([[0, 1], [-1, 0]], I64)], {"axis": axis})
    yield Case("gather", "scalar", "Gather", [x, Constant(np.array(1, np.int32))])
    yield Case("gather", "none", "Gather", [x, np.zeros((0, 2), I64)], {"axis": 1}, expected=[np.zeros((2, 0, 2, 4), np.float32)])
    yield Case("gather", "bytes", "Gather", [x.astype(np.int8), ints(2, 2)], {"axis": 2})
    for axis in (0, 1, 2, -2):
        at = rng.integers(-x.shape[axis], x.shape[axis], (2, 2, 3)).astype(I64)
        taken = np.take_along_axis(x[tuple(slice(None) if i == axis % 3 else slice(n) for i, n in enumerate(at.shape))], at, axis)
        yield Case("gather_elements", f"axis {axis}", "GatherElements", [x, at], {"axis": axis}, expected=[taken])
        updates = rng.standard_normal(at.shape).astype(np.float32)
        unique = np.zeros(at.shape, I64) - 1
        for reduction in ("none", "add", "mul", "max", "min"):
            # one index along the axis, so that nothing is written twice unless it is reduced
            used = at if reduction != "none" else unique.take([0], axis)
            values = updates if reduction != "none" else updates.take([0], axis)
            yield Case("scatter_elements", f"axis {axis} {reduction}", "ScatterElements", [x, used, values],
                       {"axis": axis, "reduction": reduction}, expected=[scatter(x, used, values, axis, reduction)])
    yield Case("gather_elements", "none", "GatherElements", [x, np.zeros((2, 0, 1), np.int32)], {"axis": 1}, expected=[np.zeros((2, 0, 1), np.float32)])
    small = np.array([1, 2, 3], np.int8)
    yield Case("scatter_elements", "wraps", "ScatterElements", [small, ints(0, 0), np.array([127, 5], np.int8)], {"reduction": "add"},
               expected=[np.array([-123, 2, 3], np.int8)])
    yield Case("scatter_elements", "halves", "ScatterElements", [small.astype(np.float16), ints(1, 1), np.array([4, 5], np.float16)],
               {"reduction": "mul"}, expected=[np.array([1, 40, 3], np.float16)])
    yield Case("scatter_elements", "nothing", "ScatterElements", [small, np.zeros(0, I64), small[:0]], expected=[small])
    yield Case("scatter_elements", "u64", "ScatterElements", [np.array([2**64 - 1, 3], np.uint64), ints(0, 1), np.array([5, 2**63], np.uint64)],
               {"reduction": "max"}, expected=[np.array([2**64 - 1, 2**63], np.uint64)])
    for name, at in [("elements", [[0, 1, 2], [-1, -1, -1]]), ("rows", [[[0, 1]], [[1, 2]]]), ("blocks", [[1], [0], [1]])]:
        yield Case("gather_nd", name, "GatherND", [x, np.array(at, I64)])
    for batch, at in [(1, [[0, 1], [2, 3]]), (1, [[[0], [2]], [[1], [1]]]), (2, rng.integers(0, 4, (2, 3, 1)))]:
        yield Case("gather_nd", f"batch {batch}", "GatherND", [x, np.array(at, I64)], {"batch_dims": batch})
    yield Case("gather_nd", "constant", "GatherND", [x, Constant(np.array([[1, 1]], I64))])
    for reduction in ("none", "add", "mul", "max", "min"):
        rows = np.array([[[0, 1]], [[1, 2]]], I64)
        updates = rng.standard_normal((2, 1, 4)).astype(np.float32)
        expected = x.copy()
        for place in np.ndindex(2, 1):
            to = tuple(rows[place])
            expected[to] = MEET[reduction](expected[to], updates[place])
        yield Case("scatter_nd", "rows " + reduction, "ScatterND", [x, rows, updates], {"reduction": reduction}, expected=[expected])
    yield Case("scatter_nd", "blocks twice", "ScatterND", [x, ints(1, -1).reshape(2, 1), np.ones((2, 3, 4), np.float32)], {"reduction": "add"},
               expected=[x + np.array([0, 2], np.float32).reshape(2, 1, 1)])
    yield Case("scatter_nd", "elements", "ScatterND", [ints(1, 2, 3), ints(2, 0).reshape(2, 1), ints(8, 9)])


def scatter(x, at, updates, axis, reduction):
    y = x.copy()
    for place in np.ndindex(at.shape):
        to = list(place)
        to[axis] = at[place]
        y[tuple(to)] = MEET[reduction](y[tuple(to)], updates[place])
    return y


def caches(rng):
    cache = rng.standard_normal((2, 2, 5, 3)).astype(np.float32)
    update = rng.standard_normal((2, 2, 2, 3)).astype(np.float32)

    def written(starts, axis, mode):
        y = np.moveaxis(cache.copy(), axis, 2)
        u = np.moveaxis(update, axis, 2)
        for b, start in enumerate(starts):
            for i in range(2):
                y[b, :, (start + i) % 5 if mode == "circular" else start + i] = u[b, :, i]
        return [np.moveaxis(y, 2, axis)]

    yield Case("tensor_scatter", "from 0", "TensorScatter", [cache, update], expected=written([0, 0], 2, "linear"))
    yield Case("tensor_scatter", "linear", "TensorScatter", [cache, update, ints(3, 1)], expected=written([3, 1], 2, "linear"))
    yield Case("tensor_scatter", "circular", "TensorScatter", [cache, update, ints(4, 9)], {"mode": "circular"},
               expected=written([4, 4], 2, "circular"))
    yield Case("tensor_scatter", "axis", "TensorScatter", [cache.reshape(2, 10, 3), update.reshape(2, 4, 3), ints(6, 0)], {"axis": 1},
               expected=[np.stack([np.concatenate([cache.reshape(2, 10, 3)[0, :6], update.reshape(2, 4, 3)[0]]),
                                   np.concatenate([update.reshape(2, 4, 3)[1], cache.reshape(2, 10, 3)[1, 4:]])])])


def refusals(x):
    def refuse(op, inputs, fails, attributes=None):
        symbol = "".join("_" + c.lower() if c.isupper() and p.islower() else c.lower() for p, c in zip("X" + op, op)).lstrip("_")
        return Case(symbol, "refused: " + fails, op, inputs, attributes, fails=fails)

    nan = np.array(np.nan, np.float32)
    yield refuse("Cast", [x], "to=8 is no element type", {"to": 8})
    yield refuse("Cast", [x], "to=-1 is no element type", {"to": -1})
    yield refuse("Cast", [x], "round_mode 'odd'", {"to": T.FLOAT8E8M0, "round_mode": "odd"})
    yield refuse("BitCast", [x], "f32 have 32 bits, those of i64 64", {"to": T.INT64})
    yield refuse("BitCast", [x.astype(np.int8)], "i8 have 8 bits, those of i4 4", {"to": T.INT4})
    yield refuse("Reshape", [x, ints(-1, -1)], "leaves two sizes open")
    yield refuse("Reshape", [x, ints(5, -1)], "of [2,3,4] cannot become one of [5,-1]")
    yield refuse("Reshape", [x, ints(-2, 12)], "cannot become one of [-2,12]")
    yield refuse("Reshape", [x, ints(2**62, 2**62)], "cannot become one of")
    yield refuse("Reshape", [x[:0], ints(0, -1)], "cannot become one of [0,-1]")
    yield refuse("Reshape", [x, ints(*[1] * 9)], "expected a list of at most 8")
    yield refuse("Flatten", [x], "axis 4 of 3 dimensions", {"axis": 4})
    yield refuse("Squeeze", [x, ints(0)], "dimension 0 is 2, expected 1")
    yield refuse("Squeeze", [x, ints(3)], "one that 3 dimensions have not")
    yield refuse("Unsqueeze", [x, ints(1, -4)], "names an axis twice")
    yield refuse("Unsqueeze", [x, ints(*range(9))], "at most 8 are supported")
    yield refuse("Expand", [x, ints(5)], "[2,3,4] does not broadcast to [5]")
    yield refuse("Expand", [x, ints(-1, 3, 4)], "negative size -1")
    yield refuse("Range", [np.array(1), np.array(2), np.array(0)], "lead nowhere")
    yield refuse("Range", [nan, nan, nan], "lead nowhere")
    yield refuse("Range", [ints(0, 1), ints(2), ints(1)], "expected a single number")
    yield refuse("Range", [ints(-2**63), ints(2**63 - 1), ints(1)], "more than")
    yield refuse("ConstantOfShape", [ints(2**62, 8), ints(1)], "more than any memory")
    yield refuse("ConstantOfShape", [ints(2), ints(1, 2)], "expected a single element")
    yield refuse("EyeLike", [x], "expected a matrix")
    for perm in ([0, 1], [0, 1, 1], [0, 1, 3], [0, -1, 2]):
        yield refuse("Transpose", [x], "perm is no order", {"perm": perm})
    yield refuse("Concat", [x, x[:, :2]], "[2,2,4], which does not continue [2,3,4] along axis 0", {"axis": 0})
    yield refuse("Concat", [x, x[0]], "does not continue", {"axis": 0})
    yield refuse("Concat", [x, x.astype(np.int8)], "expected the same", {"axis": 0})
    yield refuse("Split", [x, ints(1)], "are not 1 that make up 2")
    yield refuse("Split", [x, ints(-2)], "are not 1 that make up 2")
    yield refuse("Split", [x], "num_outputs is 3, but it has 1", {"num_outputs": 3})
    yield refuse("Slice", [x, ints(0), ints(1), ints(0), ints(0)], "the step along axis 0 is 0")
    yield refuse("Slice", [x, ints(0), ints(1, 2)], "1 starts, 2 ends")
    yield refuse("Slice", [x, ints(0), ints(1), ints(5)], "names an axis twice, or one that 3")
    yield refuse("Slice", [x, ints(0, 0, 0, 0), ints(1, 1, 1, 1)], "for 3 axes")
    yield refuse("Pad", [x, ints(0, 0)], "2 counts for 3 axes")
    yield refuse("Pad", [x, ints(0, 0, 0, -3, 0, 0)], "do not fit dimension 0 of 2")
    yield refuse("Pad", [x, ints(-2**63, 0, 0, -2**63, 0, 0)], "do not fit dimension 0 of 2")
    yield refuse("Pad", [x, ints(2**63 - 1, 0, 0, 2**63 - 1, 0, 0)], "do not fit dimension 0 of 2")
    yield refuse("Pad", [x[:0], ints(1, 0, 0, 0, 0, 0)], "nothing to pad it with", {"mode": "edge"})
    yield refuse("Pad", [x, ints(1, 0, 0, 0, 0, 0)], "mode 'mirror'", {"mode": "mirror"})
    yield refuse("Pad", [x, ints(1, 0, 0, 0, 0, 0), np.array(1)], "expected the same")
    yield refuse("Tile", [x, ints(1, 2)], "cannot be repeated [1,2] times")
    yield refuse("Tile", [x, ints(1, 2, 2**62)], "cannot be repeated")
    yield refuse("Trilu", [x[0, 0]], "expected matrices")
    yield refuse("Compress", [x, np.array([False, True, True])], "element 2 of input 1 is true", {"axis": 0})
    yield refuse("OneHot", [ints(1), ints(-1), ints(0, 1)], "the depth is -1")
    yield refuse("OneHot", [ints(1), ints(2), ints(0)], "not two elements")
    for index in (2, -3, 2**63 - 1, -2**63):
        yield refuse("Gather", [x, ints(0, index)], f"element 1 of input 1, {index}, is no index into 2")
        yield refuse("GatherElements", [x, np.full((1, 1, 1), index)], f"{index}, is no index into 2")
        yield refuse("GatherND", [x, ints(0, 0, index, 0).reshape(2, 2)], "is no index into")
        yield refuse("ScatterElements", [x, np.full((1, 1, 1), index), np.ones((1, 1, 1), np.float32)], f"{index}, is no index into 2")
        yield refuse("ScatterND", [x, np.full((1, 3), index), np.ones(1, np.float32)], f"{index}, is no index into 2")
    yield refuse("Gather", [x[:, :0], ints(0)], "0, is no index into 0", {"axis": 1})
    yield refuse("GatherElements", [x, np.zeros((1, 4, 1), I64)], "reach beyond")
    yield refuse("GatherElements", [x, ints(0)], "reach beyond")
    yield refuse("GatherND", [x, ints(0, 0, 0, 0)], "do not fit")
    yield refuse("GatherND", [x, np.zeros((3, 1), I64)], "do not fit", {"batch_dims": 1})
    yield refuse("GatherND", [x, np.zeros((2, 1), I64)], "do not fit", {"batch_dims": -1})
    yield refuse("ScatterElements", [x, np.zeros((1, 1, 2), I64), x[:1, :1, :1]], "for updates of [1,1,1]")
    yield refuse("ScatterElements", [x, np.zeros((1, 1, 1), I64), x[:1, :1, :1]], "reduction 'sub'", {"reduction": "sub"})
    yield refuse("ScatterND", [x, ints(0).reshape(1, 1), x[0, 0]], "4 updates, the indices need 12")
    cache = x.reshape(2, 3, 4)
    for start in (2, -1, 2**63 - 1):
        yield refuse("TensorScatter", [cache, cache[:, :2], ints(0, start)], f"2 elements from place {start} on do not fit 3 places")
    yield refuse("TensorScatter", [cache, cache[:, :2], ints(0)], "input 2 has 1 elements, expected 2")
    yield refuse("TensorScatter", [cache, cache], "along axis 0", {"axis": 0})


def cases():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    yield from casts(rng)
    yield from shapes(x)
    yield from makers(x)
    yield from movers(rng, x)
    yield from pads(x)
    yield from others(rng, x)
    yield from gathers(rng, x)
    yield from caches(rng)
    yield from refusals(x)
