#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what `hone quantize` writes against torch, transformers (4.57), compressed-tensors (0.20) and bitsandbytes (0.50).

    tools/parity/quantized.py HONE MODEL

HONE is the program, MODEL a BART folder with real weights. For fp16 and bf16: transformers loads the folder and every
tensor has the bits of torch's .half() or .bfloat16(). For int8 with --loadable: transformers with compressed-tensors
loads it; its weights are exactly int8 times scale, within half a step of the original; and the logits of `hone run` are
those of W8A8's definition in torch. There float noise now and then makes an activation round the other way, a whole step
that changes all that follows: so many tiny inputs are run, of which half have to agree to 1e-5, and none may differ by
more than int8 itself costs. The same for int8-static, whose activations have one scale each, which transformers loads too.
For int4 and nf4 with --loadable, and for int8 and int4 mixed: the codes and scales are those of
compressed-tensors (int4's by its own rule for scales) and bitsandbytes, transformers with either loads the folder, its weights are what hone computes with (for
nf4 up to the codebook's rounding), and its logits lie as near to fp32's as hone's do. Without --loadable: transformers refuses
the folder. `hone verify` has to have said all this beforehand. Exits 1 where anything differs.
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
    """The model in plain f32 with int8 times scale as weights and inputs rounded per token, or by their static scale:
    W8A8's definition."""

    def rounded(module, inputs):
        if module in statics:
            return (torch.round(inputs[0] / statics[module]).clamp(-127, 127) * statics[module],)
        scale = inputs[0].abs().amax(-1, keepdim=True) / 127
        return (torch.where(scale > 0, torch.round(inputs[0] / scale), torch.zeros(())) * scale,)

    modules, statics = dict(model.named_modules()), {}
    for name in layers:
        module = modules[name.removesuffix(".weight")]
        if name.removesuffix("weight") + "input_scale" in written:
            statics[module] = written[name.removesuffix("weight") + "input_scale"]
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


def check_int8_static(hone, model, folder, vocabulary, inputs):
    rows, out, random = folder / "rows.jsonl", folder / "int8-static", numpy.random.default_rng(5)
    rows.write_text("".join(json.dumps({"input_ids": random.integers(4, vocabulary, 40).tolist(),
                                        "label_ids": random.integers(4, vocabulary, 12).tolist()}) + "\n" for _ in range(16)))
    _, takes = quantize(hone, model, out, "int8-static", "--loadable", "--calibration", str(rows))
    written = load_file(out / "model.safetensors")
    layers = [name for name, tensor in written.items() if tensor.dtype == torch.int8]
    check(all(name.removesuffix("weight") + "input_scale" in written for name in layers),
          f"int8-static: each of {len(layers)} linears has a scale for its activations")
    check(takes["transformers + compressed-tensors"], "int8-static: verify promises transformers + compressed-tensors")
    loaded = AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
    check_dequantized(loaded, written, layers)
    modules = dict(loaded.named_modules())
    scales = [getattr(modules[name.removesuffix(".weight")], "input_scale", None) for name in layers]
    same = sum(scale is not None and float(scale) == float(written[name.removesuffix("weight") + "input_scale"])
               for name, scale in zip(layers, scales))
    check(same == len(layers), f"int8-static: {same} of {len(layers)} scales of activations are in transformers' modules")
    reals = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    defined = with_activations(AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32), written, layers)
    found, cost = [], []
    for source, target in inputs:
        base, theirs = torch_logits(reals, source, target), torch_logits(defined, source, target)
        found.append(spread(hone_logits(hone, out, folder, source, target) - theirs, base))
        cost.append(spread(theirs - base, base))
    exact = sum(difference < 1e-5 for difference in found)
    check(exact >= len(inputs) // 2 and max(found) < max(cost),
          f"int8-static: {exact} of {len(inputs)} inputs agree with W8A8 in torch to 1e-5, the worst to {max(found):.1e}; "
          f"int8-static costs {numpy.mean(cost):.1e}, at most {max(cost):.1e}")


NF4_STEP = 1 / 112  # hone's codebook: integers over 112


def four_bit_layers(original):
    return [name for name in original if ".layers." in name and original[name].dim() == 2]


def check_nf4_bytes(written, original, layers, nested):
    """bitsandbytes' own quantizer on the same weights: codes and absmax to the byte; under double quantization absmax to half a
    step of its map (its CPU path looks codes up in a table and may miss the nearest)."""
    from bitsandbytes import functional

    codes = scales = 0
    worst = 0.0
    for name in layers:
        packed, state = functional.quantize_4bit(original[name].float(), blocksize=64, quant_type="nf4")
        codes += torch.equal(packed, written[name])
        if nested:
            told = json.loads(bytes(written[name + ".quant_state.bitsandbytes__nf4"].tolist()))
            ours = functional.dequantize_blockwise(
                written[name + ".absmax"], absmax=written[name + ".nested_absmax"], code=written[name + ".nested_quant_map"],
                blocksize=256) + told["nested_offset"]
            step = written[name + ".nested_absmax"].max() * 0.0071
            worst = max(worst, float((ours - state.absmax).abs().max() / step))
        scales += nested or torch.equal(state.absmax, written[name + ".absmax"])
    check(codes == len(layers), f"nf4: codes of {codes} of {len(layers)} weights are bitsandbytes', to the byte")
    check(scales == len(layers) and worst <= 1.01, f"nf4: absmax {'within %.2f half steps' % worst if nested else 'equal'}")


def check_int4_bytes(written, original, layers, group):
    """The packed codes are compressed-tensors' for the scales in the file."""
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import quantize as encode

    args, same = QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=group), 0
    for name in layers:
        scale, weight = written[name + "_scale"], original[name].float()
        near = (weight.unflatten(1, (-1, group)).abs().amax(-1) / 7.5).half()
        zero = torch.zeros_like(scale, dtype=torch.int8)
        codes = encode(x=weight, scale=scale.float(), zero_point=zero, args=args, dtype=torch.int8)
        same += torch.equal(pack_to_int32(codes, 4), written[name + "_packed"]) and torch.equal(near[near > 0], scale[near > 0])
    check(same == len(layers), f"int4: codes and scales of {same} of {len(layers)} weights are compressed-tensors', to the byte")


def dense_weight(module):
    if hasattr(module, "weight") and hasattr(module.weight, "quant_state"):
        from bitsandbytes import functional

        return functional.dequantize_4bit(module.weight.data, module.weight.quant_state).float()
    weight = module.weight.detach()
    if weight.dtype == torch.int8:
        weight = weight * module.weight_scale.detach()
    return weight.float()


def compare_loaded(hone, model, folder, loaded, original, inputs):
    """Puts the weights of a loaded model into a plain one: how far hone's logits of `folder`, and the loaded model's own, lie from
    its, and what the weights cost against fp32, all as shares of the logits' spread."""
    reals = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    plain = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    theirs, modules = dict(loaded.named_modules()), dict(plain.named_modules())
    for name in four_bit_layers(original):
        module = name.removesuffix(".weight")
        modules[module].weight.data = dense_weight(theirs[module])
    found, cost, direct = [], [], []
    for source, target in inputs:
        base = torch_logits(reals, source, target)
        ours, unpacked = hone_logits(hone, folder, folder.parent, source, target), torch_logits(plain, source, target)
        found.append(spread(ours - unpacked, base))
        cost.append(spread(unpacked - base, base))
        direct.append(spread(torch_logits(loaded, source, target) - unpacked, base))
    return (float(numpy.mean(x)) for x in (found, cost, direct))


def check_four_bits(hone, model, folder, original, inputs, scheme, options, loader, tolerance):
    """Loads the folder with transformers and `loader`: that hone's logits lie near those of the weights as loaded shows that both
    read the same numbers. hone also quantizes activations, which costs about what int8 does."""
    out = folder / "-".join([scheme, *options]).replace("=", "-").replace("*", "x")
    _, takes = quantize(hone, model, out, scheme, "--loadable", *options)
    check(takes[loader], f"{scheme}: verify promises {loader}")
    loaded = AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
    if "compressed-tensors" in loader:
        torch_logits(loaded, *inputs[0])  # it unpacks at the first call, where bitsandbytes packs anew
    found, cost, direct = compare_loaded(hone, model, out, loaded, original, inputs)
    check(found < tolerance * cost and direct < tolerance * cost,
          f"{scheme} {' '.join(options)}: {loader} loads it; 4 bits cost {cost:.1e} of the logits' spread, hone is {found:.1e} "
          f"from the loaded weights, transformers itself {direct:.1e}")
    return load_file(out / "model.safetensors")


def check_four_bits_read(hone, model, folder, original, inputs):
    """Folders that bitsandbytes wrote in 4 bits: hone's logits lie near those of the weights that are in them."""
    from transformers import BitsAndBytesConfig

    for kind, nested in (("nf4", False), ("nf4", True), ("fp4", False), ("fp4", True)):
        out = folder / f"bits4-{kind}-{nested}"
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested,
                                    bnb_4bit_compute_dtype=torch.float32)
        loaded = AutoModelForSeq2SeqLM.from_pretrained(model, quantization_config=config, device_map="cpu", dtype=torch.float32)
        loaded.save_pretrained(out)
        found, cost, _ = compare_loaded(hone, model, out, loaded, original, inputs)
        check(found < 0.5 * cost, f"bitsandbytes {kind}{', double quantized' if nested else ''}: read; 4 bits cost {cost:.1e} of the "
                                  f"logits' spread, hone is {found:.1e} from the weights in the folder")


def check_all_four_bits(hone, model, folder, original, inputs):
    layers = four_bit_layers(original)
    tensors, bits = "transformers + compressed-tensors", "transformers + bitsandbytes"
    fits = next((g for g in (128, 64, 32) if all(original[name].shape[1] % g == 0 for name in layers)), None)
    for options in ([], ["--double-quant"]):
        written = check_four_bits(hone, model, folder, original, inputs, "nf4", options, bits, 0.5)
        check_nf4_bytes(written, original, layers, bool(options))
    if not fits:
        print(f"        int4 skipped: no group divides the columns of {model}")
        return
    absmax = ["--group", "32", "--scales", "absmax"]
    written = check_four_bits(hone, model, folder, original, inputs, "int4", absmax, tensors, 0.5)
    check_int4_bytes(written, original, layers, 32)
    check_four_bits(hone, model, folder, original, inputs, "int4", ["--group", str(fits), "--keep", "*.fc1=int8", "--keep",
                                                                    "*.encoder.*.q_proj=fp16"], tensors, 0.5)


def check_eight_bits_read(hone, model, folder, inputs):
    """A folder that bitsandbytes wrote in 8 bits: hone's logits are those of its weights with activations per token."""
    from transformers import BitsAndBytesConfig

    out = folder / "bits8"
    config = BitsAndBytesConfig(load_in_8bit=True)
    AutoModelForSeq2SeqLM.from_pretrained(model, quantization_config=config, device_map="cpu").save_pretrained(out)
    written = {name: tensor if tensor.dtype == torch.int8 else tensor.float()
               for name, tensor in load_file(out / "model.safetensors").items()}
    layers = [name for name, tensor in written.items() if tensor.dtype == torch.int8]
    for name in layers:
        written[name + "_scale"] = written[name.removesuffix("weight") + "SCB"][:, None] / 127
    reals = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    plain = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32)
    rest = {name: tensor for name, tensor in written.items() if name in plain.state_dict() and name not in layers}
    plain.load_state_dict(rest, strict=False)  # biases and norms went through fp16
    defined = with_activations(plain, written, layers)
    found, cost = [], []
    for source, target in inputs:
        base, theirs = torch_logits(reals, source, target), torch_logits(defined, source, target)
        found.append(spread(hone_logits(hone, out, folder, source, target) - theirs, base))
        cost.append(spread(theirs - base, base))
    exact = sum(difference < 1e-5 for difference in found)
    check(exact >= len(inputs) // 2 and max(found) < max(cost),
          f"bitsandbytes int8: {len(layers)} linears read; {exact} of {len(inputs)} inputs agree with W8A8 of its weights to "
          f"1e-5, the worst to {max(found):.1e}; int8 costs {numpy.mean(cost):.1e}, at most {max(cost):.1e}")


def check_refused(hone, model, folder, scheme, *options):
    out = folder / ("tables-" + "-".join([scheme, *options]).replace("=", "-").replace("*", "x"))
    name = " ".join([scheme, *options])
    _, takes = quantize(hone, model, out, scheme, *options)
    check(not any(takes[other] for other in takes if other != "hone"), f"{name}: verify says that none but hone takes it")
    try:
        AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
        check(False, f"{name}: transformers refuses the folder")
    except Exception as error:  # noqa: BLE001 # whatever it calls it
        last = [line for line in str(error).splitlines() if line.strip()]
        check(True, f"{name}: transformers refuses the folder: {type(error).__name__}: {last[0][:70] if last else ''}")


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
        check_int8_static(options.hone, options.model, folder, config["vocab_size"], inputs)
        check_all_four_bits(options.hone, options.model, folder, original, inputs)
        check_four_bits_read(options.hone, options.model, folder, original, inputs)
        check_eight_bits_read(options.hone, options.model, folder, inputs)
        for words in (["int8"], ["nf4"], ["int4", "--group", "32"], ["nf4", "--keep", "*.fc1=int8"],
                      ["fp16", "--embeddings", "nf4"]):
            if words[0] != "int4" or config["d_model"] % 32 == 0:
                check_refused(options.hone, options.model, folder, *words)
    print(f"{len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
