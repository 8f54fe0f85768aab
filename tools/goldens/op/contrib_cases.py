# SPDX-License-Identifier: Apache-2.0
"""Cases of ONNX Runtime's own operators, computed by it but for outputs and layouts that its CPU kernels leave out."""
import make
import numpy as np
from attention_cases import attend
from case import Case, Constant

DOMAIN = "com.microsoft"
rng = np.random.default_rng(9)


def n(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def case(op, name, inputs, attributes=None, outputs=1, expected=None):
    words = "".join(("_" if c.isupper() and i and not op[i - 1].isupper() else "") + c.lower() for i, c in enumerate(op))
    symbol = {"QAttention": "qattention", "MatMulNBits": "matmul_nbits", "MatMulBnb4": "matmul_bnb4",
              "DynamicQuantizeMatMul": "dynamic_quantize_matmul",
              "MatMulIntegerToFloat": "matmul_integer_to_float", "FusedMatMul": "fused_matmul"}.get(op, words)
    return Case("ms_" + symbol, name, op, inputs, attributes, outputs=outputs, domain=DOMAIN, expected=expected)


def attentions():
    x, w, b = n(2, 5, 12), n(12, 24), n(24)
    a = {"num_heads": 2}
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    yield case("Attention", "plain", [x, Constant(w), b], a)
    yield case("Attention", "weights at run time", [x, w, b], a)
    yield case("Attention", "sizes", [x, Constant(n(12, 26)), n(26)], {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 10]})
    yield case("Attention", "lengths", [x, w, b, np.array([3, 5], np.int32)], a)
    yield case("Attention", "ends and starts", [x, w, b, np.array([5, 4, 2, 0], np.int32)], a)
    yield case("Attention", "mask", [x, w, b, mask], a)
    yield case("Attention", "filter", [x, w, b, mask], {"num_heads": 2, "mask_filter_value": -1.5, "scale": 0.3})
    yield case("Attention", "mask 3d", [x, w, b, rng.integers(0, 2, (2, 5, 5)).astype(np.int32) | np.eye(5, dtype=np.int32)], a)
    yield case("Attention", "mask of ones", [x, w, b, np.ones((2, 1), np.int32)], a)
    yield case("Attention", "causal", [x, w, b, mask], {"num_heads": 2, "unidirectional": 1})
    yield case("Attention", "bias", [x, w, b, None, None, n(1, 2, 5, 5)], a)
    yield case("Attention", "bias and mask", [x, w, b, mask, None, n(2, 2, 5, 5)], a)
    yield case("Attention", "past", [x, w, b, None, n(2, 2, 2, 3, 4)], {"num_heads": 2, "unidirectional": 1}, 2)
    yield case("Attention", "past and mask", [x, w, b, np.ones((2, 8), np.int32) - (np.arange(8) == 1).astype(np.int32),
                                              n(2, 2, 2, 3, 4)], {"num_heads": 2, "unidirectional": 1}, 2)
    yield case("Attention", "present", [x, w, b], a, 2)
    yield case("Attention", "many", [n(1, 40, 32), Constant(n(32, 96) / 4), n(96)], {"num_heads": 4})
    # The square mask's rows begin after the past, as in ONNX Runtime's other kernels: here it is causal
    square = np.tril(np.ones((2, 1, 9, 9), np.int32))
    causal = {"num_heads": 2, "unidirectional": 1}
    same = case("Attention", "", [x, w, b, None, n(2, 2, 2, 3, 4)], causal, 2)
    yield case("Attention", "mask 4d", same.inputs[:3] + [square] + same.inputs[4:], a, 2, expected=make.compute(same))


def quantized_attentions():
    x, zero = rng.integers(0, 255, (2, 5, 12)).astype(np.uint8), np.array(120, np.uint8)
    u8, s8 = rng.integers(0, 255, (12, 24)).astype(np.uint8), rng.integers(-127, 127, (12, 24)).astype(np.int8)
    b, scale, a = n(24), np.array(0.02, np.float32), {"num_heads": 2}
    w_scale, scales = np.array(0.01, np.float32), rng.uniform(0.005, 0.02, 24).astype(np.float32)
    yield case("QAttention", "u8", [x, u8, b, scale, w_scale, None, zero, np.array(128, np.uint8)], a)
    yield case("QAttention", "s8", [x, s8, b, scale, w_scale, np.array([3, 5], np.int32), zero, np.array(3, np.int8)], a)
    yield case("QAttention", "columns", [x, s8, b, scale, scales, None, zero, np.zeros(24, np.int8)], a)
    yield case("QAttention", "past", [x, s8, b, scale, w_scale, None, zero, np.array(0, np.int8), n(2, 2, 2, 3, 4)],
               {"num_heads": 2, "unidirectional": 1}, 2)


def multi_heads():
    q, k, v, b = n(2, 5, 8), n(2, 7, 8), n(2, 7, 12), n(28)
    a = {"num_heads": 2}
    op = "MultiHeadAttention"
    yield case(op, "plain", [q, k, v], a)
    yield case(op, "bias", [q, k, v, b], {"num_heads": 2, "scale": 0.2})
    yield case(op, "mask", [q, k, v, b, (np.arange(7) < np.array([[4], [7]])).astype(np.int32)], a)
    yield case(op, "lengths", [q, k, v, None, np.array([4, 7], np.int32)], a)
    yield case(op, "mask 3d", [q, k, v, None, (np.arange(7) < np.arange(1, 6)[:, None]).astype(np.int32)[None].repeat(2, 0)], a)
    yield case(op, "attention bias", [q, k, v, None, None, n(2, 1, 5, 7)], a)
    yield case(op, "causal", [q, k[:, :5], v[:, :5]], {"num_heads": 2, "unidirectional": 1})
    yield case(op, "heads apart", [q, n(2, 2, 7, 4), n(2, 2, 7, 4)], a)
    past = [n(2, 2, 3, 4), n(2, 2, 3, 4)]
    yield case(op, "past", [q, k[:, :5], v[:, :5, :8], None, None, n(1, 2, 5, 8)] + past, a, 3)
    yield case(op, "past and mask", [q[:, :1], k[:, :1], v[:, :1, :8], n(24), np.ones((2, 4), np.int32), None] + past, a, 3)
    yield case(op, "present", [q, k, v[..., :8]], a, 3)
    bias = n(1, 1, 5, 7)
    y, *more = attend(*(x.reshape(2, -1, 2, 4).swapaxes(1, 2) for x in (q, k, v[..., :8])), bias, mode=2)
    yield case(op, "scores", [q, k, v[..., :8], None, None, bias], a, 4, [y.swapaxes(1, 2).reshape(2, 5, 8), *more])
    parts = [x.reshape(2, -1, 2, 4) for x in (q, k[:, :5], v[:, :5, :8])]
    flat = make.compute(case(op, "", [q, k[:, :5], v[:, :5, :8]], a))
    yield case(op, "packed", [np.stack(parts, 3)], a, expected=flat)
    yield case(op, "packed keys", [q, np.stack(parts[1:], 3)], a, expected=flat)


def norms():
    x, s, g, e = n(2, 3, 20), n(2, 3, 20), n(20), n(20)
    op = "SkipLayerNormalization"
    yield case(op, "plain", [x, s, g, e], {"epsilon": 1e-5})
    yield case(op, "no beta", [x, s, g])
    yield case(op, "bias", [x, s, g, e, n(20)])
    yield case(op, "one skip", [x, s[:1], g, e])
    yield case(op, "flat skip", [x, s[0], g, None, n(20)])
    yield case(op, "half", [y.astype(np.float16) for y in (x, s, g, e)])
    for bias in (None, n(20)):
        total = x + s + (0 if bias is None else bias)
        mean, inverse = total.mean(-1, keepdims=True), 1 / np.sqrt(total.var(-1, keepdims=True) + 1e-5)
        yield case(op, "all outputs" if bias is None else "all outputs with bias", [x, s, g, e] + ([] if bias is None else [bias]),
                   {"epsilon": 1e-5}, 4, [(total - mean) * inverse * g + e, mean, inverse, total])
    op = "SkipSimplifiedLayerNormalization"
    yield case(op, "plain", [x, s, g], {"epsilon": 1e-5})
    yield case(op, "bias", [x, s, g, n(20)], {"epsilon": 1e-6})
    yield case(op, "2d", [x[0], s[0], g], {"epsilon": 1e-6})
    total, inverse = x + s, 1 / np.sqrt(((x + s) ** 2).mean(-1, keepdims=True) + np.float32(1e-5))
    yield case(op, "all outputs", [x, s, g], {"epsilon": 1e-5}, 4, [total * inverse * g, 0 * inverse, inverse, total])
    op = "EmbedLayerNormalization"
    ids = lambda most, *shape: rng.integers(0, most, shape).astype(np.int32)
    tables, ge = [Constant(n(11, 12)), n(6, 12), n(2, 12)], [n(12), n(12)]
    words, segments = ids(11, 2, 5), ids(2, 2, 5)
    mask = (np.arange(5) < np.array([[3], [5]])).astype(np.int32)
    yield case(op, "plain", [words, segments, *tables, *ge], {"epsilon": 1e-5}, 2)
    yield case(op, "mask", [words, segments, *tables, *ge, mask], {"mask_index_type": 1}, 3)
    yield case(op, "no segments", [words, None, *tables[:2], None, *ge, mask], outputs=3)
    yield case(op, "positions", [words, segments, *tables, *ge, None, ids(6, 2, 5)], outputs=2)
    yield case(op, "one row of positions", [words, segments, *tables, *ge, None, ids(6, 1, 5)], outputs=2)


def elementwise():
    x = 2 * n(2, 3, 35)
    yield case("Gelu", "plain", [x])
    yield case("BiasGelu", "plain", [x, n(35)])
    yield case("FastGelu", "plain", [x])
    yield case("FastGelu", "bias", [x, n(35)])
    yield case("QuickGelu", "plain", [x])
    yield case("QuickGelu", "alpha", [x], {"alpha": -0.75})
    ids = rng.integers(0, 10, (2, 3))
    op = "RotaryEmbedding"
    yield case(op, "3d", [n(2, 3, 32), ids, n(10, 4), n(10, 4)])
    yield case(op, "4d", [n(2, 4, 3, 8), ids, n(10, 4), n(10, 4)])
    yield case(op, "from one position", [n(2, 3, 32), np.array([5]), n(10, 4), n(10, 4)], {"interleaved": 1})
    yield case(op, "partial", [n(2, 3, 32), ids, n(10, 2), n(10, 2)], {"num_heads": 4, "rotary_embedding_dim": 4})


def nbits(name, bits, k, columns, block, zeros, **more):
    blocks = -(-k // block)
    codes = rng.integers(0, 256, (columns, blocks, block * bits // 8)).astype(np.uint8)
    scales = rng.uniform(0.01, 0.1, (columns, blocks)).astype(np.float32)
    packed = {"none": None, "packed": rng.integers(0, 256, (columns, -(-blocks * bits // 8))).astype(np.uint8),
              "real": rng.uniform(0, 2 ** bits, (columns, blocks)).astype(np.float32)}[zeros]
    bias = n(columns) if more.get("bias") else None
    inputs = [n(*more.get("shape", (2, 3)), k), Constant(codes), scales, packed, None, bias]
    while inputs[-1] is None:
        inputs.pop()
    unpack = lambda x: np.stack([x >> s & (1 << bits) - 1 for s in range(0, 8, bits)], -1).astype(np.float64)
    zero = 1 << (bits - 1)
    if packed is not None:
        zero = (packed if zeros == "real" else unpack(packed)).reshape(columns, -1)[:, :blocks, None]
    weights = ((unpack(codes).reshape(columns, blocks, block) - zero) * scales[..., None].astype(np.float64)).reshape(columns, -1)[:, :k]
    y = (inputs[0] @ weights.T + (0 if bias is None else bias)).astype(np.float32)
    result = case("MatMulNBits", name, inputs, {"K": k, "N": columns, "bits": bits, "block_size": block})
    if more.get("check", True):  # what it should be, as far as ONNX Runtime's kernels are exact
        np.testing.assert_allclose(make.compute(result)[0], y, 2e-2, 2e-2)
    result.expected = [y]
    return result


def bnb4(name, kind, k, columns, block, **more):
    codes = rng.integers(0, 256, -(-k * columns // 2)).astype(np.uint8)
    absmax = rng.uniform(0.1, 1, -(-k * columns // block)).astype(np.float32)
    return case("MatMulBnb4", name, [n(*more.get("shape", (2, 3)), k), Constant(codes), absmax],
                {"K": k, "N": columns, "block_size": block, "quant_type": kind})


def bnb4s():
    yield bnb4("NF4", 1, 64, 50, 64)
    yield bnb4("FP4", 0, 64, 50, 32)
    yield bnb4("blocks over rows", 1, 36, 10, 16, shape=(1,))
    yield bnb4("odd", 1, 33, 9, 16, shape=(2, 1))


def products():
    yield nbits("4 bits", 4, 70, 60, 32, "none")
    yield nbits("4 bits zeros", 4, 96, 50, 32, "packed", bias=True)
    yield nbits("4 bits small blocks", 4, 40, 10, 16, "packed", shape=(1,))
    yield nbits("4 bits real zeros", 4, 64, 10, 32, "real", check=False)
    yield nbits("8 bits", 8, 70, 50, 32, "none")
    yield nbits("8 bits zeros", 8, 64, 7, 16, "packed", bias=True)
    yield nbits("2 bits", 2, 70, 9, 32, "packed", check=False)
    op = "DynamicQuantizeMatMul"
    a, scale, scales = n(2, 3, 20), np.array(0.02, np.float32), rng.uniform(0.01, 0.03, 50).astype(np.float32)
    u8, s8 = rng.integers(0, 255, (20, 50)).astype(np.uint8), rng.integers(-127, 127, (20, 50)).astype(np.int8)
    yield case(op, "u8", [a, u8, scale, np.array(120, np.uint8)])
    yield case(op, "s8 columns", [a, Constant(s8), scales, rng.integers(-9, 9, 50).astype(np.int8), n(50)])
    yield case(op, "positive", [np.abs(a) + 1, s8, scale])
    yield case(op, "zeros", [0 * a, s8, scale, np.array(7, np.int8), n(50)])
    op = "MatMulIntegerToFloat"
    a = rng.integers(0, 255, (2, 3, 20)).astype(np.uint8)
    yield case(op, "u8", [a, u8, scale, scale, np.array(9, np.uint8), np.array(120, np.uint8)])
    yield case(op, "s8 columns", [a, Constant(s8), scale, scales, None, rng.integers(-9, 9, 50).astype(np.int8), n(50)])
    yield case(op, "s8 s8", [(a.astype(np.int16) - 128).astype(np.int8), s8, scale, scale, np.array(-5, np.int8)])


def scaled_products():
    op = "FusedMatMul"
    yield case(op, "scaled", [n(2, 3, 4, 5), n(2, 3, 5, 6)], {"alpha": 0.25})
    yield case(op, "both turned", [n(2, 5, 4), n(2, 6, 5)], {"alpha": -1.5, "transA": 1, "transB": 1})
    yield case(op, "a constant, turned", [n(2, 3, 5), Constant(n(6, 5))], {"transB": 1})


def cases():
    for part in (attentions, quantized_attentions, multi_heads, norms, elementwise, products, bnb4s, scaled_products):
        yield from part()
