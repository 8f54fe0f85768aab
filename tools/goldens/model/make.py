# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/model/: small BART checkpoints in every form that writers keep, and what transformers 4.57.6
computes from them.

    python tools/goldens/model/make.py

micro/          2 encoder layers, 1 decoder layer, safetensors as save_pretrained writes them
micro_untied/   encoder, decoder and head have tables of their own, and the folder says so
micro_mbart/    mBART: norms before the blocks and after each side, scaled embeddings
micro.zip.bin   micro's whole state, tied tensors under all four names, as torch.save writes it
micro.old.bin   the same in the stream format before torch 1.6
forward.json    encoder states and logits, computed in double precision: for each case the folder, settings that differ from its config.json, the dtype
                the weights are rounded to, ids, an attention mask that may have holes, and decoder ids
"""
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BartConfig, BartForConditionalGeneration, MBartConfig, MBartForConditionalGeneration

assert transformers.__version__ == "4.57.6"
torch.set_num_threads(1)
ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "tests" / "golden" / "model"
SHAPE = dict(vocab_size=41, d_model=20, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
             decoder_attention_heads=4, encoder_ffn_dim=24, decoder_ffn_dim=28, max_position_embeddings=40,
             decoder_start_token_id=2, pad_token_id=1)


def untie(model):
    """Tables of their own (from_pretrained would fill some of them anew, whatever the file holds)."""
    for module in (model.model.encoder.embed_tokens, model.model.decoder.embed_tokens, model.lm_head):
        module.weight = torch.nn.Parameter(module.weight.detach().clone())
    return model


def fill(model, seed):
    """Weights large enough that every one of them shows in the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(0.4 * noise)
        model.final_logits_bias.copy_(0.3 * torch.randn(model.final_logits_bias.shape, generator=generator))
    return model.eval()


def save(name, model):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    if not model.config.tie_word_embeddings:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()
                   if name != "model.shared.weight"}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)


def load(path, kind, config):
    if config.tie_word_embeddings:
        return kind.from_pretrained(path, config=config, attn_implementation="eager").eval()
    config._attn_implementation = "eager"
    model = untie(kind(config)).eval()
    missing, unexpected = model.load_state_dict(load_file(path / "model.safetensors"), strict=False)
    assert missing == ["model.shared.weight"] and not unexpected
    return model


def draw(seed, batch, length, target, vocabulary, holes):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.long)
    if holes:
        mask = (torch.rand(batch, length, generator=generator) < 0.6).long()
        mask[:, 0] = 1
    decoder = torch.randint(3, vocabulary, (batch, target), generator=generator)
    decoder[:, 0] = 2
    return ids, mask, decoder


def forward(folder, kind, config, changes, dtype, seed, batch, length, target, holes):
    path = ROOT / folder
    settings = json.loads((path / "config.json").read_text()) | changes
    model = load(path, kind, config.from_dict(settings))
    if dtype != "f32":
        model = model.to({"f16": torch.float16, "bf16": torch.bfloat16}[dtype])
    model = model.double()
    ids, mask, decoder = draw(seed, batch, length, target, settings["vocab_size"], holes)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder)
    flat = lambda values: [float(f"{value:.9g}") for value in values.flatten().tolist()]
    return {"folder": folder, "config": changes, "dtype": dtype, "input_ids": ids.tolist(),
            "attention_mask": mask.tolist(), "decoder_input_ids": decoder.tolist(),
            "states": flat(out.encoder_last_hidden_state), "logits": flat(out.logits)}


def cases():
    bart, mbart = (BartForConditionalGeneration, BartConfig), (MBartForConditionalGeneration, MBartConfig)
    micro, seed = "tests/golden/model/micro", 100
    rows = [(micro, *bart, {}, "f32", 3, 37, 18, True),
            ("tests/golden/model/micro_mbart", *mbart, {}, "f32", 3, 37, 18, True),
            ("tests/golden/model/micro_mbart", *mbart, {"scale_embedding": False}, "f32", 1, 20, 3, False),
            (micro, *bart, {}, "f16", 1, 18, 6, False),
            (micro, *bart, {}, "bf16", 1, 18, 6, False),
            (micro, *bart, {"scale_embedding": True}, "f32", 1, 5, 3, False),
            ("tests/golden/model/micro_untied", *bart, {}, "f32", 1, 16, 17, False)]
    for name in ("relu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "silu", "swish", "tanh", "linear"):
        rows.append((micro, *bart, {"activation_function": name}, "f32", 1, 4, 2, False))
    for row in rows:
        seed += 1
        yield forward(*row[:5], seed, *row[5:])


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    model = fill(BartForConditionalGeneration(BartConfig(**SHAPE)), 3)
    save("micro", model)
    torch.save(model.state_dict(), OUT / "micro.zip.bin")
    torch.save(model.state_dict(), OUT / "micro.old.bin", _use_new_zipfile_serialization=False)
    save("micro_untied", fill(untie(BartForConditionalGeneration(BartConfig(**SHAPE, tie_word_embeddings=False))), 4))
    save("micro_mbart", fill(MBartForConditionalGeneration(MBartConfig(**SHAPE, scale_embedding=True)), 5))
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    (OUT / "forward.json").write_text("[\n" + text + "\n]\n")
    print(*(f"{path.relative_to(OUT)} {path.stat().st_size}" for path in sorted(OUT.rglob("*")) if path.is_file()), sep="\n")
