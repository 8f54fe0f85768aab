# SPDX-License-Identifier: Apache-2.0
"""hone export against onnx.checker, ONNX Runtime, torch and optimum: every part of a BART or mBART folder is clean under
full_check, gives torch's logits in every opset asked for, holds no weight twice, all parts together have no more than 1.05 times
the weights' bytes, and optimum generates with the folder, with the merged decoder, with the two decoders and without a cache, what
hone generate does.

Usage: python tools/parity/onnx_export.py MODEL [--hone build/hone] [--opsets 14,17,22] [--tolerance 1e-4] [--optimize LEVEL]
                                          [--reference FOLDER] [--int8 integer]
Int8 rows are dequantized for torch and, unless --int8 says otherwise (with a --tolerance for what integers cost), in the export; hone
generates with quantized activations, so its ids are not compared then. For a MODEL that
torch cannot compute at all (static activations) --reference names the folder whose logits count. Ends with 1 where anything differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import safetensors.torch
import torch
from optimum.onnxruntime import ORTModelForSeq2SeqLM
from transformers import AutoConfig, AutoModelForSeq2SeqLM

onnxruntime.set_default_logger_severity(4)
FILES = ["encoder_model", "decoder_model", "decoder_with_past_model", "decoder_model_merged"]
failures = []


def say(good, text):
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        failures.append(text)


def initializer_bytes(graph):
    """Bytes of all initializers, those of bodies too."""
    total = sum(len(t.raw_data) or onnx.numpy_helper.to_array(t).nbytes for t in graph.initializer)
    for node in graph.node:
        total += sum(initializer_bytes(a.g) for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)
    return total


def parameter_bytes(model, encoder):
    """Bytes of what one side reads, tied weights once: the encoder its own, a decoder its own and the head."""
    side = model.get_encoder() if encoder else model.get_decoder()
    held = {p.data_ptr(): p.numel() * p.element_size() for p in side.parameters()}
    if not encoder:
        weight = model.get_output_embeddings().weight
        held[weight.data_ptr()] = weight.numel() * weight.element_size()
    return sum(held.values())


def dequantized(folder):
    """The model with int8 rows made real; None where there are none."""
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    codes = {name for name, t in tensors.items() if t.dtype == torch.int8}
    if not codes:
        return None
    real = {name: t.float() * tensors[f"{name}_scale"].float().reshape(-1, 1) if name in codes else t.float()
            for name, t in tensors.items() if not name.endswith("_scale")}
    config = AutoConfig.from_pretrained(folder)
    vars(config).pop("quantization_config", None)
    config._attn_implementation = "eager"
    model = AutoModelForSeq2SeqLM.from_config(config)
    missing = [k for k in model.load_state_dict(real, strict=False).missing_keys if "embed_tokens" not in k and "lm_head" not in k]
    assert not missing, missing
    model.tie_weights()
    return model.eval()


def batch(config, generator):
    """Padded source ids, their mask, and target ids."""
    longest = min(24, config.max_position_embeddings)
    lengths = [longest, longest // 2, 3]
    ids = np.full((3, longest), config.pad_token_id, np.int64)
    for row, length in zip(ids, lengths):
        row[:length] = [generator.randrange(3, config.vocab_size) for _ in range(length)]
    target = np.array([[generator.randrange(3, config.vocab_size) for _ in range(7)] for _ in range(3)], np.int64)
    return ids, (np.arange(longest)[None] < np.array(lengths)[:, None]).astype(np.int64), target


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(session_, feeds):
    names = [o.name for o in session_.get_outputs()]
    wanted = {i.name for i in session_.get_inputs()}
    return dict(zip(names, session_.run(None, {k: v for k, v in feeds.items() if k in wanted})))


def past_of(outputs):
    return {k.replace("present", "past_key_values"): v for k, v in outputs.items() if k.startswith("present")}


def check_logits(folder, reference, tolerance, name):
    config = reference.config
    ids, mask, target = batch(config, random.Random(7))
    with torch.no_grad():
        wanted = reference(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask),
                           decoder_input_ids=torch.tensor(target))
    states_wanted, logits_wanted = wanted.encoder_last_hidden_state.numpy(), wanted.logits.float().numpy()

    def compare(what, got, expected):
        difference = float(np.abs(got - expected).max())
        say(difference <= tolerance, f"{name} {what}: largest difference {difference:.2e}")

    encoder, decoder, past, merged = (session(folder / f"{f}.onnx") for f in FILES)
    states = run(encoder, {"input_ids": ids, "attention_mask": mask})["last_hidden_state"]
    compare("encoder", states[mask == 1], states_wanted[mask == 1])
    feeds = {"encoder_attention_mask": mask, "encoder_hidden_states": states}
    compare("decoder", run(decoder, {**feeds, "input_ids": target})["logits"], logits_wanted)
    first = run(decoder, {**feeds, "input_ids": target[:, :3]})
    cache = past_of(first)
    for at in range(3, 7):  # a token at a time, and the last two at once
        last = at == 5
        step = run(past, {**feeds, **cache, "input_ids": target[:, at:at + 1 + last]})
        cache.update(past_of(step))
        compare(f"decoder_with_past at {at}", step["logits"], logits_wanted[:, at:at + 1 + last])
        if last:
            break
    heads = {i.name: i.shape for i in merged.get_inputs() if i.name.startswith("past")}
    nothing = {k: np.zeros((3, *(s[d] if isinstance(s[d], int) else 1 for d in (1, 2, 3))), np.float32) for k, s in heads.items()}
    out = run(merged, {**feeds, **nothing, "input_ids": target[:, :3], "use_cache_branch": np.array([False])})
    compare("merged without past", out["logits"], logits_wanted[:, :3])
    out = run(merged, {**feeds, **past_of(out), "input_ids": target[:, 3:], "use_cache_branch": np.array([True])})
    compare("merged with past", out["logits"], logits_wanted[:, 3:])


def sources(config):
    generator = random.Random(11)
    most = min(30, config.max_position_embeddings)
    return [[config.bos_token_id or 0] + [generator.randrange(3, config.vocab_size) for _ in range(n)] + [config.eos_token_id]
            for n in (3, most // 2, most - 2)]


def check_generation(folder, model, hone):
    config = AutoConfig.from_pretrained(model)
    inputs = sources(config)
    lines = "".join(json.dumps({"input_ids": ids}) + "\n" for ids in inputs)
    for cache, merged in ((True, True), (True, False), (False, False)):
        loaded = ORTModelForSeq2SeqLM.from_pretrained(folder, use_cache=cache, use_merged=merged)
        for beams in (1, 4):
            answer = subprocess.run([hone, "generate", str(model), "--num-beams", str(beams), "--max-new-tokens", "12", "--quiet"],
                                    input=lines, capture_output=True, text=True, check=True).stdout
            expected = [json.loads(line)["ids"] for line in answer.splitlines()]
            got = [loaded.generate(input_ids=torch.tensor([ids]), num_beams=beams, max_new_tokens=12)[0].tolist()[1:]
                   for ids in inputs]
            say(got == expected, f"optimum use_cache={cache} merged={merged} beams {beams}: the ids of hone generate"
                + ("" if got == expected else f" {got} {expected}"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--opsets", default="14,17,22")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--optimize", default="0")
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--int8", default="dequantize")
    arguments = parser.parse_args()
    real = dequantized(arguments.model) if not arguments.reference else None
    reference = real or AutoModelForSeq2SeqLM.from_pretrained(arguments.reference or arguments.model,
                                                              attn_implementation="eager", dtype=torch.float32).eval()
    as_stored = not arguments.reference and not real
    stored = AutoModelForSeq2SeqLM.from_pretrained(arguments.model, dtype="auto") if as_stored else None
    weights = (arguments.model / "model.safetensors").stat().st_size if (arguments.model / "model.safetensors").exists() else None
    with tempfile.TemporaryDirectory() as scratch:
        for opset in arguments.opsets.split(","):
            folder = pathlib.Path(scratch) / opset
            # what com.microsoft operators become has the opset that they need
            chosen = ["--opset", opset] if arguments.optimize == "0" else []
            subprocess.run([arguments.hone, "export", str(arguments.model), "-o", str(folder), "--optimize", arguments.optimize,
                            "--int8", arguments.int8, "--json", *chosen], check=True, stdout=subprocess.DEVNULL)
            for name in FILES:
                path = folder / f"{name}.onnx"
                if arguments.optimize == "0":
                    onnx.checker.check_model(str(path), full_check=True)
                held = initializer_bytes(onnx.load(path).graph)
                least = parameter_bytes(stored, name == "encoder_model") if stored else weights
                if least is None:
                    continue
                say(held <= 1.05 * least, f"opset {opset} {name}: {held} bytes of initializers, the weights are {least}")
            size = sum(file.stat().st_size for file in folder.glob("*.onnx*"))
            if weights is not None:
                say(size <= 1.05 * weights, f"opset {opset}: all parts have {size} bytes, the weights {weights}")
            check_logits(folder, reference, arguments.tolerance, f"opset {opset}")
            if stored:
                check_generation(folder, arguments.model, arguments.hone)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
