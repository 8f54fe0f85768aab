#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tensor/zero_points.safetensors: weights of our own as compressed-tensors packs them in 4 bits with zero
points, and as it unpacks them.

Run with torch, safetensors and compressed-tensors installed (the file here: torch 2.13.0, compressed-tensors 0.20.0):

    python3 tools/goldens/tensor/zero_points.py tests/golden/tensor/zero_points.safetensors

    group.weight_packed, _scale, _zero_point, _shape    [13, 96], groups of 32; group.values F32 what they stand for
    channel. ...                                        [9, 64], a scale a row
"""
import sys

import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(6)


def case(out, name, rows, columns, strategy, group):
    args = QuantizationArgs(num_bits=4, type="int", symmetric=False, strategy=strategy, group_size=group)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    weight = torch.randn((rows, columns), generator=generator) + torch.rand((rows, 1), generator=generator)
    parts = weight.unflatten(-1, (-1, group or columns))
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), args)
    packed = PackedQuantizationCompressor.compress(
        {"weight": weight, "weight_scale": scale, "weight_zero_point": zero.to(torch.int8)}, scheme)
    out |= {f"{name}.{key}": value for key, value in packed.items()}
    out[f"{name}.values"] = PackedQuantizationCompressor.decompress(packed, scheme)["weight"].float()
    assert (out[f"{name}.values"] - weight).abs().max() < 0.4 and zero.unique().numel() > 3


def main():
    out = {}
    case(out, "group", 13, 96, "group", 32)
    case(out, "channel", 9, 64, "channel", None)
    save_file({name: value.contiguous() for name, value in out.items()}, sys.argv[1])


main()
