#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/compress/masks.safetensors: weights of our own and the masks that torch.nn.utils.prune makes of them.

Run with torch and safetensors installed (the file here: torch 2.13.0):

    python3 tools/goldens/compress/masks.py tests/golden/compress/masks.safetensors

    <input>                          normal, coarse (few different values), long (20,000 of them), half (F16), brain (BF16),
                                     twins (rows that are there twice), small, organ (rising, then falling)
    ln|<input>|<n>|<dim>|<amount>    U8, the mask of ln_structured, bits packed as numpy.packbits(bitorder="little")
    l1|<input>|<amount>              the same of l1_unstructured
    global|<amount>|<input>          the same of global_unstructured over small, normal, coarse and long, in this order

An amount without a point is an int, as for torch. Many scores are equal, so that masks hold the order in which torch.topk
takes equal values.
"""
import sys

import numpy
import torch
import torch.nn.utils.prune as prune
from safetensors.torch import save_file

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(5)


def normal(*shape):
    return torch.randn(shape, generator=generator)


def coarse(*shape):
    return (normal(*shape) * 4).round() / 4


def inputs():
    made = {
        "normal": normal(48, 40),
        "coarse": coarse(64, 64),
        "long": coarse(40, 500),
        "half": normal(48, 64).half(),
        "brain": normal(48, 64).bfloat16(),
        "small": normal(5, 2),
    }
    twins = coarse(16, 24)
    made["twins"] = torch.cat([twins, twins, -twins])[torch.randperm(48, generator=generator)].contiguous()
    rising = torch.arange(1500.0)
    made["organ"] = torch.cat([rising, rising.flip(0)]).reshape(50, 60).contiguous()
    return made


def module_of(weight):
    module = torch.nn.Module()
    module.register_parameter("weight", torch.nn.Parameter(weight.clone()))
    return module


def amount_of(text):
    return float(text) if "." in text else int(text)


def packed(mask):
    bits = mask.flatten().float().numpy().astype(numpy.uint8)
    return torch.from_numpy(numpy.packbits(bits, bitorder="little"))


def main():
    tensors = inputs()
    masks = {}
    for name, weight in tensors.items():
        for n in ("1", "2", "3", "inf", "-inf"):
            if n == "3" and weight.dtype != torch.float32:
                continue  # powers and roots in half precision have another error for every way to compute them
            if n in "23" and name == "organ":
                continue  # columns whose norms are equal but for the order of sums
            for dim in (0, 1):
                for amount in ("0.0", "0.02", "0.3", "0.5", "0.77", "1.0", "1", "2"):
                    module = module_of(weight)
                    order = float(n) if "inf" in n else int(n)
                    prune.ln_structured(module, "weight", amount_of(amount), n=order, dim=dim)
                    masks[f"ln|{name}|{n}|{dim}|{amount}"] = packed(module.weight_mask)
        for amount in ("0.0", "0.003", "0.01", "0.25", "0.3", "0.35", "0.5", "0.9", "1.0", "1", "7"):
            module = module_of(weight)
            prune.l1_unstructured(module, "weight", amount_of(amount))
            masks[f"l1|{name}|{amount}"] = packed(module.weight_mask)
    for amount in ("0.001", "0.2", "0.5", "0.8", "1000"):
        names = ("small", "normal", "coarse", "long")
        modules = [module_of(tensors[name]) for name in names]
        prune.global_unstructured([(module, "weight") for module in modules], prune.L1Unstructured, amount=amount_of(amount))
        for name, module in zip(names, modules):
            masks[f"global|{amount}|{name}"] = packed(module.weight_mask)
    save_file({**tensors, **masks}, sys.argv[1])


main()
