#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what `hone quantize` writes against torch, transformers (4.57) and compressed-tensors.

    tools/parity/quantized.py HONE MODEL

HONE is the program, MODEL a BART folder with real weights. For fp16 and bf16: transformers loads the folder and every
tensor has the bits of torch's .half() or .bfloat16(). For int8 with --loadable: transformers with compressed-tensors
loads it; its weights are exactly int8 times scale, within half a step of the original; and the logits of `hone run` are
those of W8A8's definition in torch. There float noise now and then makes an activation round the other way, a whole step
that changes all that follows: so many tiny inputs are run, of which half have to agree to 1e-5, and none may differ by
more than int8 itself costs. Without --loadable: transformers refuses the folder. `hone verify` has to have said all this
beforehand. Exits 1 where anything differs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(1)
failures = []


def check(good, what):
    print(("ok      " if good else "FAILED  ") + what)
    if not good:
        failures.append(what)


def run(*words, code=0):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{words}: exit code {done.returncode}, expected {code}: {done.stderr}")
    return done.stdout


def quantize(hone, model, out, scheme, *options):
    answer = json.loads(run(hone, "quantize", model, "-o", out, "--scheme", scheme, "--json", *options))
    print(f"        {scheme} {' '.join(options)}: {answer['original_mb']:.3f} MB to {answer['quantized_mb']:.3f} MB")
    verdict = json.loads(run(hone, "verify", out, "--json"))
    return answer, {loader["name"]: loader["takes"] for loader in verdict["loaders"]}


def hone_logits(hone, model, folder, source, target):
    numpy.save(folder / "source.npy", source)
    numpy.save(folder / "target.npy", target)
    out = folder / ("out-" + pathlib.Path(model).name)
    run(hone, "run", model, "--in", f"input_ids={folder}/source.npy", "--in", f"decoder_input_ids={folder}/target.npy",
        "--out", out)
    return numpy.load(out / "logits.npy")


def torch_logits(model, source, target):
    with torch.no_grad():
        return model(input_ids=torch.tensor(source), decoder_input_ids=torch.tensor(target)).logits.float().numpy()


def spread(difference, logits):
    """The root mean square of a difference of logits, of their own deviation."""
    return float(numpy.sqrt(numpy.mean(difference**2)) / logits.std())


def check_half(hone, model, folder, scheme, dtype, original):
    out = folder / scheme
    answer, takes = quantize(hone, model, out, scheme)
    written, stayed = load_file(out / "model.safetensors"), 0
    for name, tensor in original.items():
        if name not in written:
            check(name in ("lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"),
                  f"{scheme}: '{name}' is left out, another name of the word table")
            continue
        fell_back = dtype == torch.float16 and tensor.abs().max() > 65504
        stayed += fell_back
        expected = tensor.float() if fell_back else tensor.to(dtype)
        if written[name].dtype != expected.dtype or not torch.equal(written[name], expected):
            check(False, f"{scheme}: '{name}' has the bits of torch")
    check(len(answer["notes"]) == stayed, f"{scheme}: {len(written)} tensors have the bits of torch, {stayed} stay fp32")
    loaded = AutoModelForSeq2SeqLM.from_pretrained(out, dtype="auto")
    same = all(torch.equal(value, written[name]) for name, value in loaded.state_dict().items() if name in written)
    check(same and takes["transformers"], f"{scheme}: transformers loads it as {loaded.dtype}")


def check_int8(hone, model, folder, original, inputs):
    out = folder / "int8"
    answer, takes = quantize(hone, model, out, "int8", "--loadable")
    written = load_file(out / "model.safetensors")
    layers = [name for name, tensor in written.items() if tensor.dtype == torch.int8]
    expected = {name for name in original if ".layers." in name and original[name].dim() == 2}
    check(set(layers) == expected, f"int8: exactly the {len(layers)} linears of the layers are int8")
    worst = 0.0
    for name in layers:
        scale, weight = written[name + "_scale"], original[name].float()
        absmax = weight.abs().amax(1, keepdim=True)
        rounded = torch.where(scale > 0, torch.round(weight / scale), torch.zeros(())).clamp(-127, 127)
        good = torch.equal(scale, absmax / 127) and torch.equal(rounded.to(torch.int8), written[name])
        error = (weight - written[name] * scale).abs() / scale.clamp_min(1e-30)
        worst = max(worst, float(error.max()))
        if not good:
            check(False, f"int8: '{name}' is rounded as defined")
    check(worst <= 0.5001, f"int8: all values and scales as defined, largest error {worst:.4f} steps")
    loaded = AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
    check(takes["transformers + compressed-tensors"], "int8: verify promises transformers + compressed-tensors")
    check_dequantized(loaded, written, layers)
    reals = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    defined = with_activations(AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32), written, layers)
    noise, found, cost, loaded_cost, agree = [], [], [], [], 0
    for source, target in inputs:
        plain, base = hone_logits(hone, model, folder, source, target), torch_logits(reals, source, target)
        ours, theirs = hone_logits(hone, out, folder, source, target), torch_logits(defined, source, target)
        noise.append(spread(plain - base, base))
        found.append(spread(ours - theirs, base))
        cost.append(spread(theirs - base, base))
        through = torch_logits(loaded, source, target)
        loaded_cost.append(spread(through - base, base))
        agree += ours[0, -1].argmax() == through[0, -1].argmax()
    exact = sum(difference < 1e-5 for difference in found)
    check(max(noise) < 1e-5, f"fp32: logits of hone and transformers differ by {max(noise):.1e} of their spread at most")
    check(exact >= len(inputs) // 2 and max(found) < max(cost),
          f"int8: {exact} of {len(inputs)} inputs agree with W8A8 in torch to 1e-5, the worst to {max(found):.1e}; "
          f"int8 costs {numpy.mean(cost):.1e}, at most {max(cost):.1e}")
    check(max(loaded_cost) < 2 * max(cost), f"int8: transformers + compressed-tensors is {numpy.mean(loaded_cost):.1e} "
          f"from fp32, with hone's best token in {agree} of {len(inputs)} places")


def with_activations(model, written, layers):
    """The model in plain f32 with int8 times scale as weights and inputs rounded per token: W8A8's definition."""

    def rounded(_, inputs):
        scale = inputs[0].abs().amax(-1, keepdim=True) / 127
        return (torch.where(scale > 0, torch.round(inputs[0] / scale), torch.zeros(())) * scale,)

    modules = dict(model.named_modules())
    for name in layers:
        module = modules[name.removesuffix(".weight")]
        module.weight.data = written[name] * written[name + "_scale"]
        module.register_forward_pre_hook(rounded)
    with torch.no_grad():
        model.model.shared.weight.copy_(written["model.shared.weight"])
        for side in (model.model.encoder, model.model.decoder):
            key = "model." + ("encoder" if side is model.model.encoder else "decoder") + ".embed_positions.weight"
            side.embed_positions.weight.copy_(written[key])
    return model


def check_dequantized(loaded, written, layers):
    """After decompression their weights are our int8 times our scales, to the bit."""
    modules, same = dict(loaded.named_modules()), 0
    for name in layers:
        module = modules[name.removesuffix(".weight")]
        weight = module.weight.detach()
        if weight.dtype == torch.int8:
            weight = weight * module.weight_scale.detach()
        same += torch.equal(weight.float(), written[name] * written[name + "_scale"])
    check(same == len(layers), f"int8: {same} of {len(layers)} weights in transformers are int8 times scale, to the bit")


def check_refused(hone, model, folder):
    out = folder / "tables"
    _, takes = quantize(hone, model, out, "int8")
    check(not takes["transformers"] and not takes["transformers + compressed-tensors"],
          "int8 tables: verify says that transformers does not take them")
    try:
        AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
        check(False, "int8 tables: transformers refuses the folder")
    except Exception as error:  # noqa: BLE001 # whatever it calls it
        last = [line for line in str(error).splitlines() if line.strip()]
        check(True, f"int8 tables: transformers refuses the folder: {type(error).__name__}: {last[0][:70] if last else ''}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    options = parser.parse_args()
    config = json.loads((options.model / "config.json").read_text())
    original = load_file(options.model / "model.safetensors")
    random = numpy.random.default_rng(11)
    inputs = [(random.integers(4, config["vocab_size"], (1, 2)), random.integers(4, config["vocab_size"], (1, 1)))
              for _ in range(32)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_half(options.hone, options.model, folder, "fp16", torch.float16, original)
        check_half(options.hone, options.model, folder, "bf16", torch.bfloat16, original)
        check_int8(options.hone, options.model, folder, original, inputs)
        check_refused(options.hone, options.model, folder)
    print(f"{len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
