#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what `hone prune` writes against torch.nn.utils.prune (2.13) and transformers (4.57).

    tools/parity/pruned.py HONE MODEL DATA.jsonl [--limit N]

HONE is the program, MODEL a BART folder with real weights, DATA rows with input_ids, or with texts where MODEL has a
tokenizer.json. Masks: every linear weight of the layers has zeros where torch's mask has them and its own values elsewhere, for
ln_structured, l1_unstructured and global_unstructured; a bitmap folder is refused by transformers. Uniform cuts (neurons,
layers): transformers loads the folder without missing or unexpected names, and generates the ids that hone generates (at most
one row in fifty may part, where two tokens tie). Ragged cuts: transformers refuses the folder. `hone verify` has to have said
all this beforehand. Exits 1 where anything differs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.utils.prune as prune
from safetensors.torch import load_file
from transformers import BartForConditionalGeneration, PreTrainedTokenizerFast
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(1)
failures = []


def check(good, what):
    print(("ok      " if good else "FAILED  ") + what)
    if not good:
        failures.append(what)


def run(*words, lines=None):
    done = subprocess.run([str(w) for w in words], input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{words}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def pruned(a, folder, *options):
    out = folder / "-".join(options).replace("*", "x")
    answer = json.loads(run(a.hone, "prune", a.model, "-o", out, "--json", *options))
    takes = {row["name"]: row["takes"] for row in json.loads(run(a.hone, "verify", out, "--json"))["loaders"]}
    print(f"        {' '.join(options)}: {answer['removed']} of {answer['units']} {answer['unit']}, "
          f"{answer['original_mb']:.3f} MB to {answer['pruned_mb']:.3f} MB")
    return out, takes["transformers"]


def linears(tensors):
    return sorted(n for n, t in tensors.items() if ".layers." in n and t.dim() == 2)


def module_of(weight):
    module = torch.nn.Module()
    module.register_parameter("weight", torch.nn.Parameter(weight.clone()))
    return module


def same_masks(out, original, modules, what):
    written, wrong = load_file(out / "model.safetensors"), 0
    for name, module in modules.items():
        wanted = torch.where(module.weight_mask.bool(), original[name], torch.zeros(()))
        wrong += not torch.equal(written[name], wanted)
    for name in original:
        wrong += name not in modules and not torch.equal(written[name], original[name])
    check(wrong == 0, f"{what}: {len(modules)} masks are torch's, all else is as it was ({wrong} differ)")


def check_masks(a, folder, original):
    names = linears(original)
    for n, dim, amount in (("2", 0, "0.3"), ("1", 1, "0.5"), ("inf", 0, "7"), ("-inf", 1, "0.25")):
        modules = {name: module_of(original[name]) for name in names}
        for module in modules.values():
            prune.ln_structured(module, "weight", float(amount) if "." in amount else int(amount),
                                n=float(n) if "inf" in n else int(n), dim=dim)
        out, takes = pruned(a, folder, "--method", "ln-structured", "--n", n, "--dim", str(dim), "--amount", amount)
        same_masks(out, original, modules, f"ln_structured n={n} dim={dim} {amount}")
    for amount in ("0.3", "0.01", "1000"):
        modules = {name: module_of(original[name]) for name in names}
        for module in modules.values():
            prune.l1_unstructured(module, "weight", float(amount) if "." in amount else int(amount))
        out, takes = pruned(a, folder, "--method", "l1-unstructured", "--amount", amount)
        check(takes, "verify says that transformers takes it")
        same_masks(out, original, modules, f"l1_unstructured {amount}")
        modules = {name: module_of(original[name]) for name in names}
        prune.global_unstructured([(module, "weight") for module in modules.values()], prune.L1Unstructured,
                                  amount=float(amount) if "." in amount else int(amount))
        out, _ = pruned(a, folder, "--method", "l1-unstructured", "--amount", amount, "--global")
        same_masks(out, original, modules, f"global_unstructured {amount}")


def ids_of(a):
    rows = [json.loads(line) for line in open(a.data)][:a.limit]
    if "input_ids" in rows[0]:
        return [row["input_ids"] for row in rows]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(a.model / "tokenizer.json"))
    texts = [row.get("dialogue") or row.get("text") or row.get("document") for row in rows]
    return [tokenizer(text, truncation=True, max_length=512)["input_ids"] for text in texts]


def check_cut(a, folder, rows, *options):
    out, takes = pruned(a, folder, *options)
    check(takes, "verify says that transformers takes it")
    model, found = BartForConditionalGeneration.from_pretrained(out, output_loading_info=True)
    check(not found["missing_keys"] and not found["unexpected_keys"], "transformers finds every name and no other")
    lines = "".join(json.dumps({"input_ids": row}) + "\n" for row in rows)
    ours = [json.loads(line)["ids"] for line in
            run(a.hone, "generate", out, "--num-beams", "1", "--max-new-tokens", "40", lines=lines).splitlines()]
    equal = 0
    for row, mine in zip(rows, ours):
        with torch.inference_mode():
            theirs = model.eval().generate(torch.tensor([row]), num_beams=1, do_sample=False, max_new_tokens=40)[0].tolist()
        equal += theirs[1:] == mine
    check(equal >= len(rows) - len(rows) // 50, f"{' '.join(options)}: {equal} of {len(rows)} outputs have equal ids")


def check_refused(a, folder, *options):
    out, takes = pruned(a, folder, *options)
    check(not takes, "verify says that transformers does not take it")
    try:
        BartForConditionalGeneration.from_pretrained(out)
        check(False, f"{' '.join(options)}: transformers refuses the folder")
    except Exception as error:  # noqa: BLE001 # whatever it calls it
        check(True, f"{' '.join(options)}: transformers refuses the folder: {type(error).__name__}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--limit", type=int, default=50)
    a = parser.parse_args()
    original, rows = load_file(a.model / "model.safetensors"), ids_of(a)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_masks(a, folder, original)
        check_cut(a, folder, rows, "--method", "ffn", "--amount", "0.3")
        check_cut(a, folder, rows, "--method", "layers", "--amount", "1")
        check_cut(a, folder, rows, "--method", "layers", "--amount", "2", "--only", "encoder.*")
        check_cut(a, folder, rows, "--method", "layers", "--amount", "2", "--only", "decoder.*")
        check_refused(a, folder, "--method", "heads", "--amount", "0.25", "--mode", "ragged")
        check_refused(a, folder, "--method", "ffn", "--amount", "0.3", "--mode", "ragged")
        check_refused(a, folder, "--method", "l1-unstructured", "--amount", "0.5", "--store", "bitmap")
    print(f"{len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
