# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/engine/tiny_{bart,mbart}/: small models with random weights, and what generate() makes of them.

    python tools/goldens/engine/tiny_bart.py

Weights are far larger than a fresh model's, so that outputs depend on the source and on their own past. Uneven encoder and
decoder, a bias of the logits, and for mBART scaled embeddings, pre-norm and a language as forced first token. Cases
with two candidates closer than 1e-4 at a choice are left out.
"""
import pathlib
import shutil

import torch
from transformers import BartConfig, BartForConditionalGeneration, MBartConfig, MBartForConditionalGeneration

from make import EOS, OUT, make_cases, write

SHAPE = dict(vocab_size=96, d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
             decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=32, max_position_embeddings=64,
             decoder_start_token_id=2, use_cache=True)


def enlarge(model, eos_bias):
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_((1.0 if "positions" in name else 0.4 if "shared" in name else 0.6) * noise)
        model.final_logits_bias.copy_(0.3 * torch.randn(model.final_logits_bias.shape, generator=generator))
        model.final_logits_bias[0, EOS] += eos_bias  # or hardly anything would end by itself
    return model.eval()


def make(name, model, eos_bias, count):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    enlarge(model, eos_bias).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write(folder / "cases.json", make_cases(model, count, gap=1e-4))
    print(f"{name}: {(folder / 'model.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    torch.manual_seed(1)
    make("tiny_bart", BartForConditionalGeneration(BartConfig(**SHAPE)), 9, 120)
    make("tiny_mbart", MBartForConditionalGeneration(MBartConfig(**SHAPE, scale_embedding=True, activation_function="relu",
                                                                 forced_bos_token_id=11)), 5, 80)
