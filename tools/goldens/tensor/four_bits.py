#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tensor/four_bits.safetensors: weights of our own as bitsandbytes and compressed-tensors encode them.

Run with torch, safetensors, bitsandbytes and compressed-tensors installed (the file here: torch 2.13.0, bitsandbytes 0.50.2,
compressed-tensors 0.20.0):

    python3 tools/goldens/tensor/four_bits.py tests/golden/tensor/four_bits.safetensors

    x [6, 256]            f32: normal, a row of zeros, a row of halves between codes, tiny and large rows
    int4.<group>.packed   I32 [6, 32] and int4.<group>.scale [6, 256 / group], group 32, 64, 128, 256
    int4.f16.packed       the same in groups of 32 with scales rounded to f16
    nf4.packed, .absmax   x as NF4; short.* the same of `short` [5, 77], whose last block is cut short
    nested.*              absmax [700] under double quantization: codes, absmax [3], offset; map [256]
    fp4.map               the codebook of FP4
"""
import sys

import bitsandbytes.functional as functional
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(4)


def normal(*shape):
    return torch.randn(shape, generator=generator)


def weights():
    x = normal(6, 256)
    x[1] = 0
    x[2] = (torch.arange(256) % 31 - 15) / 2  # 7.5 is the largest: scale 1, every other value half way between codes
    x[3] *= 1e-6
    x[4] *= 1000
    x[5, 64:128] = 0
    return x


def int4(x, group, dtype=torch.float32):
    args = QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=group)
    parts = x.unflatten(-1, (-1, group))
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), args)
    if dtype != torch.float32:
        scale = scale.to(dtype).float()
        scale = torch.where(scale == 0, torch.finfo(torch.float32).eps, scale)
    codes = quantize(x=x, scale=scale, zero_point=zero, args=args, dtype=torch.int8)
    return pack_to_int32(codes, 4), scale


def nf4(x):
    return torch.ops.bitsandbytes.quantize_4bit.default(x, 64, "nf4", torch.uint8)


def nested(absmax):
    """Nearest codes by bitsandbytes' plain path; its compiled one looks codes up in a table and may miss the nearest."""
    offset = absmax.double().mean().float()
    code = functional.create_dynamic_map()
    bounds = (code[:-1] + code[1:]) / 2
    rest = absmax - offset
    codes, tops = [], []
    for part in rest.split(256):
        top = part.abs().max()
        tops.append(top)
        x = part * (1.0 / top) if len(part) == 256 else part / top
        codes.append(torch.bucketize(x.clamp(-1, 1), bounds, out_int32=True).to(torch.uint8))
    return torch.cat(codes), torch.stack(tops), offset, code


def main():
    x = weights()
    out = {"x": x}
    for group in (32, 64, 128, 256):
        out[f"int4.{group}.packed"], out[f"int4.{group}.scale"] = int4(x, group)
    out["int4.f16.packed"], out["int4.f16.scale"] = int4(x, 32, torch.float16)
    out["nf4.packed"], out["nf4.absmax"] = nf4(x)
    out["short"] = normal(5, 77)
    out["short.packed"], out["short.absmax"] = nf4(out["short"])
    out["nested.input"] = normal(700).abs() + 1.5
    codes, tops, offset, code = nested(out["nested.input"])
    out["nested.codes"], out["nested.absmax"], out["nested.offset"], out["nested.map"] = codes, tops, offset, code
    theirs, state = functional.quantize_blockwise(out["nested.input"] - offset, blocksize=256)
    assert (theirs != codes).float().mean() < 0.01 and torch.equal(state.absmax, tops)
    out["fp4.map"] = functional.get_4bit_type("fp4", device="cpu")
    save_file({name: value.contiguous() for name, value in out.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
