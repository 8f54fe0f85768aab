# SPDX-License-Identifier: Apache-2.0
"""Cases of attention and rotary embeddings. onnx 1.19's reference has the softcap after the mask and numbers the stages of scores
accordingly; what ONNX 1.22 says instead is computed here."""
import numpy as np
from case import Case, Constant


def softmax(x):
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, mask=None, past_key=None, past_value=None, valid=None, *, softcap=0.0, causal=False, mode=0, scale=None):
    """All four outputs for 4-D inputs, in f64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    past = 0 if past_key is None else past_key.shape[2]
    if past_key is not None:
        k, v = np.concatenate([past_key, k], 2), np.concatenate([past_value, v], 2)
    present = k, v
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], 1) for x in (k, v))
    keys, queries = k.shape[2], q.shape[2]
    stages = [q @ k.swapaxes(2, 3) * (scale or 1 / np.sqrt(q.shape[3]))]
    stages.append(softcap * np.tanh(stages[0] / softcap) if softcap else stages[0])
    bias = np.zeros((q.shape[0], 1, queries, keys))
    if mask is not None:
        given = np.where(mask, 0, -np.inf) if mask.dtype == bool else mask
        bias = bias + np.pad(given, [(0, 0)] * (given.ndim - 1) + [(0, keys - given.shape[-1])], constant_values=-np.inf)
    first = np.full(q.shape[0], past)
    if valid is not None:
        bias = bias + np.where(np.arange(keys) < valid[:, None], 0, -np.inf)[:, None, None]
        first = valid - queries
    if causal:
        seen = np.arange(keys) <= np.arange(queries)[:, None] + first[:, None, None]
        bias = bias + np.where(seen, 0, -np.inf)[:, None]
    stages.append(stages[1] + bias)
    stages.append(softmax(stages[2]))
    return [x.astype(np.float32) for x in (stages[3] @ v, *present, stages[mode])]


def corrected(name, inputs, attributes, outputs=1, opset=24):
    names = {"softcap": "softcap", "is_causal": "causal", "qk_matmul_output_mode": "mode", "scale": "scale"}
    expected = attend(*inputs, **{names[k]: v for k, v in attributes.items()})[:outputs]
    return Case("attention", name, "Attention", inputs, attributes, outputs=outputs, expected=expected, opset=opset)


def attentions():
    rng = np.random.default_rng(7)
    n = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    case = lambda name, inputs, attributes=None, outputs=1, opset=23: Case("attention", name, "Attention", inputs, attributes,
                                                                          outputs=outputs, opset=opset)
    q, k, v = n(2, 3, 5, 8), n(2, 3, 7, 8), n(2, 3, 7, 6)
    heads = {"q_num_heads": 3, "kv_num_heads": 3}
    yield case("4d", [q, k, v])
    yield case("3d", [n(2, 5, 24), n(2, 7, 24), n(2, 7, 30)], heads)
    yield case("3d groups", [n(2, 5, 24), n(2, 7, 8), n(2, 7, 10)], {"q_num_heads": 6, "kv_num_heads": 2, "is_causal": 1})
    yield case("one query", [q[:, :, :1], k, v], {"scale": 0.3})
    yield case("three queries", [q[:, :, :3], k, v], {"is_causal": 1})
    yield case("many", [n(1, 2, 70, 20), n(1, 2, 130, 20), n(1, 2, 130, 35)], {"is_causal": 1})
    yield case("many keys", [n(1, 2, 9, 17), n(1, 1, 300, 17), n(1, 1, 300, 33)])
    yield case("half", [x.astype(np.float16) for x in (q, k, v)])
    yield case("mask 2d", [q, k, v, n(5, 7)])
    yield case("mask 3d", [q, k, v, n(3, 5, 7)])
    yield case("mask 4d", [q, k, v, n(2, 1, 1, 7)], {"scale": 0.5})
    yield case("mask bool", [q, k, v, (n(2, 1, 5, 7) > -0.5) | (np.arange(7) == 2)])
    yield case("past", [q, k, v, None, n(2, 3, 4, 8), n(2, 3, 4, 6)], {"is_causal": 1}, 3)
    yield case("past 3d", [n(2, 5, 24), n(2, 7, 24), n(2, 7, 30), n(5, 11), n(2, 3, 4, 8), n(2, 3, 4, 10)], heads, 4)
    yield case("past one", [q[:, :, :1], k[:, :, :1], v[:, :, :1], None, n(2, 3, 40, 8), n(2, 3, 40, 6)], {"is_causal": 1}, 4)
    yield case("weights", [q, k, v], {"qk_matmul_output_mode": 3}, 4)
    yield case("softcap", [q, k, v], {"softcap": 0.7})
    yield case("short mask", [q, k, v, n(2, 3, 5, 4)], opset=24)
    yield corrected("softcap and mask", [q, k, v, np.arange(7) < np.arange(3, 8)[:, None]], {"softcap": 0.7})
    for mode in range(4):
        yield corrected(f"stage {mode}", [q, k, v, n(5, 7)], {"softcap": 0.7, "qk_matmul_output_mode": mode, "is_causal": 1}, 4)
    yield corrected("valid keys", [q, k, v, None, None, None, np.array([3, 7])], {})
    yield corrected("valid keys causal", [q[:, :, :3], k, v, None, None, None, np.array([3, 7])], {"is_causal": 1})
    yield corrected("masked row", [q, k, v, np.arange(7) < np.arange(5)[:, None]], {"qk_matmul_output_mode": 3}, 4)
    yield Case("attention", "no keys", "Attention", [q, k[:, :, :0], v[:, :, :0]], expected=[np.zeros((2, 3, 5, 6), np.float32)])
    yield Case("attention", "no queries", "Attention", [q[:, :, :0], k, v], expected=[np.zeros((2, 3, 0, 6), np.float32)])
    yield Case("attention", "constant", "Attention", [q, Constant(k), Constant(v)], opset=23)


def rotations():
    rng = np.random.default_rng(8)
    n = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    ids = rng.integers(0, 10, (2, 3))
    case = lambda name, inputs, attributes=None: Case("rotary_embedding", name, "RotaryEmbedding", inputs, attributes, opset=23)
    yield case("4d", [n(2, 4, 3, 8), n(10, 4), n(10, 4), ids])
    yield case("3d", [n(2, 3, 32), n(10, 4), n(10, 4), ids], {"num_heads": 4})
    yield case("interleaved", [n(2, 4, 3, 8), n(10, 4), n(10, 4), ids], {"interleaved": 1})
    yield case("partial", [n(2, 4, 3, 8), n(10, 2), n(10, 2), ids], {"rotary_embedding_dim": 4})
    yield case("partial interleaved", [n(2, 3, 32), n(10, 2), n(10, 2), ids],
               {"rotary_embedding_dim": 4, "interleaved": 1, "num_heads": 4})
    yield case("no positions", [n(2, 4, 3, 8), n(2, 3, 4), n(2, 3, 4)])
    yield case("half", [n(2, 4, 3, 8).astype(np.float16), n(10, 4).astype(np.float16), n(10, 4).astype(np.float16), ids])


def cases():
    yield from attentions()
    yield from rotations()
