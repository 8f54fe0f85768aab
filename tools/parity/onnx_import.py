# SPDX-License-Identifier: Apache-2.0
"""Models out of ONNX files in hone's own engine, against transformers: BART and mBART of small random shapes, exported by optimum (one
decoder and merged), by PyTorch's two exporters as one graph, and by hone, as they are and rewritten by hone opt, by ONNX Runtime's
optimizer and by its dynamic quantization, are opened by hone generate and give transformers' ids and scores.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime onnxscript optimum optimum-onnx) tools/parity/onnx_import.py [--hone build/hone]
       [--folder DIR (kept)]
Quantized files have ids of their own: scores may differ by a fifth (the models are random, not robust). Ends with 1 where anything differs.
"""
import argparse
import json
import logging
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from optimum.exporters.onnx import main_export
from transformers import BartConfig, BartForConditionalGeneration, MBartConfig, MBartForConditionalGeneration

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
onnxruntime.set_default_logger_severity(4)
SHAPE = dict(vocab_size=100, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
             encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=40)
GENERATION = dict(max_new_tokens=12, num_beams=3, early_stopping=True)
WHOLE = ["whole-script.onnx", "whole-dynamo.onnx"]
failures = []


def say(good, text):
    print(("ok   " if good else "FAIL ") + text, flush=True)
    if not good:
        failures.append(text)


def models():
    torch.manual_seed(0)
    found = {"bart": BartForConditionalGeneration(BartConfig(**SHAPE)),
             "bart-scaled": BartForConditionalGeneration(BartConfig(**SHAPE, scale_embedding=True, activation_function="relu")),
             "mbart": MBartForConditionalGeneration(MBartConfig(**SHAPE, decoder_start_token_id=2))}
    for model in found.values():
        for parameter in model.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        model.generation_config.forced_eos_token_id = 2
        model.eval()
    return found


class Whole(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, decoder_ids):
        return self.model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids, use_cache=False).logits


def export_whole(model, path, dynamo):
    names = ["input_ids", "attention_mask", "decoder_input_ids"]
    ids = torch.randint(5, 90, (2, 7))
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 5:] = 0
    args = (ids, mask, ids[:, :4].clone())
    if dynamo:
        dims = [torch.export.Dim("batch"), torch.export.Dim("source"), torch.export.Dim("target")]
        shapes = ({0: dims[0], 1: dims[1]}, {0: dims[0], 1: dims[1]}, {0: dims[0], 1: dims[2]})
        torch.onnx.export(Whole(model), args, path, input_names=names, output_names=["logits"], dynamo=True, dynamic_shapes=shapes,
                          verbose=False, external_data=False)
    else:
        axes = {name: {0: "batch", 1: "target" if "decoder" in name else "source"} for name in names}
        torch.onnx.export(Whole(model), args, path, input_names=names, output_names=["logits"], dynamo=False, dynamic_axes=axes,
                          opset_version=17)


def generate(model, row):
    answer = model.generate(torch.tensor([row]), output_scores=True, return_dict_in_generate=True, **GENERATION)
    return answer.sequences[0, 1:].tolist(), float(answer.sequences_scores[0])


def hone_generate(hone, model, rows):
    options = [f"--{key.replace('_', '-')}={str(value).lower()}" for key, value in GENERATION.items()]
    lines = "".join(json.dumps({"input_ids": row}) + "\n" for row in rows)
    run = subprocess.run([hone, "generate", model, "--quiet", "--engine-cache", "none", *options], input=lines, capture_output=True,
                         text=True)
    return [json.loads(line) for line in run.stdout.splitlines()], run.stderr.strip()


def compare(hone, name, path, rows, wanted, quantized=False):
    answers, errors = hone_generate(hone, path, rows)
    if len(answers) != len(rows) or any("ids" not in a for a in answers):
        say(False, f"{name}: {errors or answers}")
        return
    equal = sum(a["ids"] == ids for a, (ids, _) in zip(answers, wanted))
    worst = max([abs(a["score"] - score) / abs(score) for a, (ids, score) in zip(answers, wanted) if quantized or a["ids"] == ids] + [0])
    good = worst < (0.2 if quantized else 1e-4) and (quantized or equal == len(rows))
    say(good, f"{name}: {equal} of {len(rows)} equal ids, scores within {worst:.1e}")


def folder_with(base, files, name, change):
    """A copy of an exported folder, each of its graphs through change(from, to)."""
    to = base.parent / f"{base.name}-{name}"
    to.mkdir()
    for path in base.glob("*.json"):
        shutil.copy(path, to)
    for file in files:
        change(base / file, to / file)
    return to


def ort_optimized(source, target):
    optimizer.optimize_model(str(source), model_type="bart", num_heads=4, hidden_size=32).save_model_to_file(str(target))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder")
    args = parser.parse_args()
    folder = pathlib.Path(args.folder or tempfile.mkdtemp())
    torch.manual_seed(0)
    rows = [[0, *torch.randint(5, 90, (n,)).tolist(), 2] for n in (3, 7, 12, 20, 31)]
    run = lambda *command: subprocess.run([args.hone, *map(str, command), "--quiet"], check=True, capture_output=True)
    expected = {}
    for name, model in models().items():  # exported after they generated, and before optimum changes how torch exports
        expected[name] = [generate(model, row) for row in rows]
        model.save_pretrained(folder / name / "hf")
        for dynamo in (True, False):
            export_whole(model, folder / name / "hf" / WHOLE[dynamo], dynamo)
    for name, wanted in expected.items():
        base = folder / name
        quantized = base / "quantized"
        run("quantize", base / "hf", "-o", quantized, "--scheme", "int8")
        reread = hone_generate(args.hone, quantized, rows)[0]
        for how in ("integer", "dequantize"):
            run("export", quantized, "-o", base / how, "--int8", how)
            compare(args.hone, f"{name}, INT8, hone export --int8 {how}", base / how, rows, [(a["ids"], a["score"]) for a in reread])
        compare(args.hone, f"{name}, the checkpoint", base / "hf", rows, wanted)
        for file in WHOLE:
            compare(args.hone, f"{name}, {file} as one graph", base / "hf" / file, rows, wanted)
        optimum = base / "optimum"
        main_export(str(base / "hf"), output=optimum, task="text2text-generation-with-past", do_validation=False, no_post_process=False)
        parts = ["encoder_model.onnx", "decoder_model_merged.onnx"]
        compare(args.hone, f"{name}, optimum", optimum, rows, wanted)
        pair = folder_with(optimum, ["encoder_model.onnx", "decoder_model.onnx"], "pair", shutil.copy)
        compare(args.hone, f"{name}, optimum, one decoder", pair, rows, wanted)
        for level, target in ((1, "onnx"), (2, "onnx"), (2, "ort")):
            changed = folder_with(optimum, parts, f"opt-{level}-{target}",
                                  lambda a, b: run("opt", a, "-o", b, "--level", level, "--target", target))
            compare(args.hone, f"{name}, optimum, hone opt --level {level} --target {target}", changed, rows, wanted)
        compare(args.hone, f"{name}, optimum, ONNX Runtime's optimizer",
                folder_with(pair, ["encoder_model.onnx", "decoder_model.onnx"], "ort", ort_optimized), rows, wanted)
        for channels in (False, True):
            changed = folder_with(pair, ["encoder_model.onnx", "decoder_model.onnx"], f"int8-{channels}",
                                  lambda a, b: quantize_dynamic(a, b, weight_type=QuantType.QInt8, per_channel=channels))
            compare(args.hone, f"{name}, quantize_dynamic, by {'column' if channels else 'tensor'}", changed, rows, wanted, True)
        for scheme in ("int8", "fp16"):
            changed = folder_with(pair, ["encoder_model.onnx", "decoder_model.onnx"], f"{scheme}-hone",
                                  lambda a, b: run("opt", a, "-o", b, "--quantize", scheme))
            compare(args.hone, f"{name}, hone opt --quantize {scheme}", changed, rows, wanted, True)
        for opset in (14, 17, 22):
            run("export", base / "hf", "-o", base / f"hone-{opset}", "--opset", opset)
            compare(args.hone, f"{name}, hone export --opset {opset}", base / f"hone-{opset}", rows, wanted)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
