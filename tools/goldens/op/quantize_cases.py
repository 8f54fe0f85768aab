# SPDX-License-Identifier: Apache-2.0
"""Cases of operators that quantize."""
import ml_dtypes
import numpy as np
from case import Case, Constant
from onnx import TensorProto as T

F32 = np.float32
INTEGERS = {np.int8: (-128, 127), np.uint8: (0, 255), np.int16: (-32768, 32767), np.uint16: (0, 65535),
            ml_dtypes.int4: (-8, 7), ml_dtypes.uint4: (0, 15), ml_dtypes.int2: (-2, 1), ml_dtypes.uint2: (0, 3)}
FLOATS = {"e4m3": ml_dtypes.float8_e4m3fn, "e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "e5m2": ml_dtypes.float8_e5m2,
          "e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "e2m1": ml_dtypes.float4_e2m1fn}


def quantized(x, scale, zero, dtype):
    least, most = INTEGERS[dtype]
    return np.clip(np.rint(x.astype(F32) / scale.astype(F32)) + np.asarray(zero).astype(F32), least, most).astype(int).astype(dtype)


def along(values, axis, rank):
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


def integers(rng, x):
    for dtype, (least, most) in INTEGERS.items():
        name = np.dtype(dtype).name
        scale = np.array(x.max() * 1.5 / (most - least), F32)
        zero = np.array((least + most) // 2, dtype)
        y = quantized(x, scale, zero, dtype)
        yield Case("quantize_linear", name, "QuantizeLinear", [x, scale, zero], expected=[y])
        back = ((y.astype(F32) - zero.astype(F32)) * scale)
        yield Case("dequantize_linear", name, "DequantizeLinear", [y, scale, zero], expected=[back])
        yield Case("dequantize_linear", name + " without zero point", "DequantizeLinear", [y, Constant(scale)],
                   expected=[y.astype(F32) * scale])
    ties = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 254.5, 255.5, 1e9, -1e9, 1e30, np.inf, -np.inf], F32)
    yield Case("quantize_linear", "ties", "QuantizeLinear", [ties, np.array(1, F32), np.array(0, np.uint8)],
               expected=[quantized(ties, np.array(1, F32), 0, np.uint8)])
    yield Case("quantize_linear", "u8 without zero point", "QuantizeLinear", [ties, np.array([2], F32)],
               expected=[quantized(ties, np.array(2, F32), 0, np.uint8)])
    yield Case("quantize_linear", "output type", "QuantizeLinear", [ties, np.array(2, F32)], {"output_dtype": T.INT16},
               expected=[quantized(ties, np.array(2, F32), 0, np.int16)])
    whole = np.array([-300, 7, 12], np.int32)
    yield Case("quantize_linear", "i32", "QuantizeLinear", [whole, np.array(2, F32), np.array(1, np.int8)],
               expected=[quantized(whole, np.array(2, F32), 1, np.int8)])
    yield Case("dequantize_linear", "i32", "DequantizeLinear", [whole, np.array(0.5, F32)], expected=[(whole * 0.5).astype(F32)])
    half = x.astype(np.float16)
    yield Case("quantize_linear", "f16", "QuantizeLinear", [half, np.array(0.013, np.float16), np.array(3, np.int8)],
               expected=[(np.clip(np.rint((half / np.float16(0.013)).astype(F32)) + 3, -128, 127)).astype(np.int8)])
    yield Case("quantize_linear", "precision", "QuantizeLinear", [half, np.array(0.013, np.float16), np.array(3, np.int8)],
               {"precision": T.FLOAT}, expected=[quantized(half, np.array(0.013, np.float16), 3, np.int8)])
    brain = x.astype(ml_dtypes.bfloat16)
    q = np.arange(-3, 3, dtype=np.int8)
    yield Case("dequantize_linear", "bf16", "DequantizeLinear", [q, np.array(0.3, ml_dtypes.bfloat16)],
               expected=[(q * np.array(0.3, ml_dtypes.bfloat16).astype(F32)).astype(ml_dtypes.bfloat16)])
    yield Case("dequantize_linear", "output type", "DequantizeLinear", [q, np.array(0.3, F32)], {"output_dtype": T.FLOAT16},
               expected=[(q * F32(0.3)).astype(np.float16)])
    yield Case("quantize_linear", "bf16", "QuantizeLinear", [brain, np.array(0.25, ml_dtypes.bfloat16), np.array(0, np.int8)],
               expected=[quantized(brain, np.array(0.25, F32), 0, np.int8)])


def granular(rng, x):
    for axis in (0, 1, 2, -1):
        size = x.shape[axis]
        scale = rng.uniform(0.01, 0.1, size).astype(F32)
        zero = rng.integers(-9, 9, size).astype(np.int8)
        y = quantized(x, along(scale, axis % 3, 3), along(zero, axis % 3, 3), np.int8)
        yield Case("quantize_linear", f"axis {axis}", "QuantizeLinear", [x, scale, zero], {"axis": axis}, expected=[y])
        yield Case("dequantize_linear", f"axis {axis}", "DequantizeLinear", [y, scale, zero], {"axis": axis},
                   expected=[(y.astype(F32) - along(zero, axis % 3, 3).astype(F32)) * along(scale, axis % 3, 3)])
    for axis, block in ((1, 2), (2, 2), (0, 2), (2, 3), (-2, 1), (1, 99)):
        shape = list(x.shape)
        shape[axis] = -(-shape[axis] // block)
        scale = rng.uniform(0.01, 0.1, shape).astype(F32)
        zero = rng.integers(-9, 9, shape).astype(np.int8)
        full = [np.repeat(v, block, axis).take(range(x.shape[axis]), axis) for v in (scale, zero)]
        y = quantized(x, full[0], full[1], np.int8)
        attributes = {"axis": axis, "block_size": block}
        yield Case("quantize_linear", f"axis {axis} block {block}", "QuantizeLinear", [x, scale, zero], attributes, expected=[y])
        yield Case("dequantize_linear", f"axis {axis} block {block}", "DequantizeLinear", [y, scale, zero], attributes,
                   expected=[(y.astype(F32) - full[1].astype(F32)) * full[0]])
    long = rng.standard_normal((3, 600)).astype(F32)
    scale = rng.uniform(0.01, 0.1, (3, 20)).astype(F32)
    full = np.repeat(scale, 30, 1)
    yield Case("quantize_linear", "long rows", "QuantizeLinear", [long, scale], {"axis": 1, "block_size": 30, "output_dtype": T.INT8},
               expected=[quantized(long, full, 0, np.int8)])
    columns = rng.integers(-128, 128, (20, 300)).astype(np.int8)
    yield Case("dequantize_linear", "long rows", "DequantizeLinear", [columns, full[:2, :300] * 1], {"axis": 0, "block_size": 10},
               expected=[columns * np.repeat(full[:2, :300], 10, 0)])
    yield Case("dequantize_linear", "empty", "DequantizeLinear", [columns[:0], np.array(1, F32)], expected=[columns[:0].astype(F32)])
    yield Case("quantize_linear", "scalar", "QuantizeLinear", [np.array(3.2, F32), np.array(0.5, F32)], expected=[np.array(6, np.uint8)])


def floats(x):
    x = np.concatenate([x.reshape(-1) * 40, [1e9, -1e9, 0]]).astype(F32)
    for name, dtype in FLOATS.items():
        scale = np.array(0.5, F32)
        most = F32(ml_dtypes.finfo(dtype).max)
        y = np.clip(x / scale, -most, most).astype(dtype)
        yield Case("quantize_linear", name, "QuantizeLinear", [x, scale, np.array(0, dtype)], expected=[y])
        yield Case("dequantize_linear", name, "DequantizeLinear", [y, scale], expected=[y.astype(F32) * scale])
    yield Case("quantize_linear", "unsaturated", "QuantizeLinear", [x, np.array(0.5, F32), np.array(0, ml_dtypes.float8_e5m2)], {"saturate": 0},
               expected=[(x / F32(0.5)).astype(ml_dtypes.float8_e5m2)])


def cases():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 5, 4)).astype(F32)
    yield from integers(rng, x)
    yield from granular(rng, x)
    yield from floats(x)
    two, u8 = np.ones(2, F32), np.array(0, np.uint8)
    for fails, inputs, attributes in [
            ("axis 3 of 3 dimensions", [x, two], {"axis": 3}),
            ("scales of [2] do not fit [2,5,4]", [x, two], {}),
            ("scales of [2] do not fit [2,5,4] (block_size 2)", [x, two], {"block_size": 2}),
            ("block_size -1", [x, two], {"axis": 0, "block_size": -1}),
            ("zero points of [] for scales of [2]", [x, two, u8], {"axis": 0}),
            ("output_dtype i8, expected", [x, two[0], u8], {"output_dtype": T.INT8}),
            ("output_dtype f32, expected", [x, two[0]], {"output_dtype": T.FLOAT}),
            ("input 0 is of type i8", [x.astype(np.int8), two[0]], {})]:
        yield Case("quantize_linear", "refused: " + fails, "QuantizeLinear", inputs, attributes, fails=fails)
    yield Case("dequantize_linear", "refused: zero point", "DequantizeLinear", [np.arange(3, dtype=np.int32), two[0], np.array(1, np.int32)],
               fails="zero point 0 of i32 is 1, expected 0")
    for name, values in [("both signs", x), ("positive", abs(x) + 1), ("negative", -abs(x) - 1)]:
        yield Case("dynamic_quantize_linear", name, "DynamicQuantizeLinear", [values], outputs=3)
    yield Case("dynamic_quantize_linear", "zeros", "DynamicQuantizeLinear", [x * 0], outputs=3,
               expected=[np.zeros(x.shape, np.uint8), np.array(1, F32), np.array(0, np.uint8)])
