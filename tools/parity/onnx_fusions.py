# SPDX-License-Identifier: Apache-2.0
"""hone opt beside onnxruntime.transformers.optimizer, on models exported here: BERT, GPT-2, T5 and BART of small random shapes, by
PyTorch's two exporters (attention written out and as scaled_dot_product_attention) and by optimum.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime onnxscript optimum optimum-onnx) tools/parity/onnx_fusions.py --hone build/hone
       [--folder DIR (kept)] [--only WORD]
Prints one row a model: fused operators found by ONNX Runtime's optimizer and by hone, and the largest difference of the outputs,
before and after, as ONNX Runtime computes them. Ends with 1 where hone fused fewer of any kind, or a difference passes 1e-5.
"""
import argparse
import collections
import logging
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from transformers import (BartConfig, BartForConditionalGeneration, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, T5Config,
                          T5ForConditionalGeneration)

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
HEADS, WIDTH = 4, 32
KINDS = {
    "attention": ("Attention", "MultiHeadAttention", "DecoderMaskedMultiHeadAttention"),
    "norm": ("LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
             "EmbedLayerNormalization", "RMSNormalization"),
    "skip": ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"),
    "gelu": ("Gelu", "BiasGelu", "FastGelu", "QuickGelu"),
    "embed": ("EmbedLayerNormalization",),
}


def models():
    torch.manual_seed(0)
    made = {
        "bert": BertModel(BertConfig(vocab_size=100, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS,
                                     intermediate_size=64, max_position_embeddings=40)),
        "gpt2": GPT2LMHeadModel(GPT2Config(vocab_size=100, n_embd=WIDTH, n_layer=2, n_head=HEADS, n_positions=40)),
        "t5": T5ForConditionalGeneration(T5Config(vocab_size=100, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=HEADS,
                                                  decoder_start_token_id=0)),
        "bart": BartForConditionalGeneration(BartConfig(
            vocab_size=100, d_model=WIDTH, encoder_layers=2, decoder_layers=2, encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=40)),
    }
    for model in made.values():  # biases and gains that are not 0 and 1
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.eval()
    return made


class Wrapped(torch.nn.Module):
    def __init__(self, model, call):
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *inputs):
        return self.call(self.model, *inputs)


def jobs(made):
    ids = torch.randint(5, 90, (2, 7))
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 5:] = 0
    some = ids[:, :4].clone()
    encode = lambda m, i, a: m.get_encoder()(input_ids=i, attention_mask=a).last_hidden_state
    whole = lambda m, i, a, d: m(input_ids=i, attention_mask=a, decoder_input_ids=d, use_cache=False).logits
    yield "bert", made["bert"], (lambda m, i, a, t: m(input_ids=i, attention_mask=a, token_type_ids=t).last_hidden_state), \
        {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    yield "gpt2", made["gpt2"], (lambda m, i, a: m(input_ids=i, attention_mask=a, use_cache=False).logits), \
        {"input_ids": ids, "attention_mask": mask}
    for name in ("t5", "bart"):
        yield name + "-encoder", made[name], encode, {"input_ids": ids, "attention_mask": mask}
        yield name, made[name], whole, {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": some}


def export(job, dynamo, path):
    _, model, call, inputs = job
    wrapped = Wrapped(model, call).eval()
    names = list(inputs)
    length = lambda n: "dseq" if n.startswith("decoder") else "seq"
    if dynamo:
        from torch.export import Dim
        shapes = tuple({0: Dim("batch"), 1: Dim(length(n))} for n in names)
        torch.onnx.export(wrapped, tuple(inputs.values()), path, input_names=names, output_names=["out"], dynamo=True,
                          dynamic_shapes=(shapes,), verbose=False, external_data=False)
    else:
        axes = {n: {0: "batch", 1: length(n)} for n in names}
        torch.onnx.export(wrapped, tuple(inputs.values()), path, input_names=names, output_names=["out"], dynamo=False,
                          dynamic_axes=axes, opset_version=17)


def make_files(folder):
    made = models()
    for attention in ("eager", "sdpa"):
        for model in made.values():
            try:
                model.set_attn_implementation(attention)
            except ValueError:
                pass
        for job in jobs(made):
            if attention == "sdpa" and job[0].startswith("t5"):
                continue  # has one way only
            for dynamo in (False, True):
                path = folder / f"{job[0]}-{attention}-{'dynamo' if dynamo else 'script'}.onnx"
                try:
                    export(job, dynamo, path)
                except Exception as e:  # an exporter's own limits: said, not counted
                    path.unlink(missing_ok=True)
                    print(f"not exported: {path.name}: {str(e).splitlines()[0][:90]}", flush=True)
    from optimum.exporters.onnx import main_export
    tasks = {"bart": "text2text-generation-with-past", "bert": "feature-extraction", "gpt2": "text-generation-with-past",
             "t5": "text2text-generation-with-past"}
    for name, task in tasks.items():
        made[name].save_pretrained(folder / f"{name}-hf")
        main_export(str(folder / f"{name}-hf"), str(folder / f"{name}-optimum"), task=task, do_validation=False, opset=17)


def counts(path):
    def walk(graph, counter):
        for node in graph.node:
            counter[node.op_type] += 1
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    walk(attribute.g, counter)
        return counter
    counter = walk(onnx.load(path, load_external_data=False).graph, collections.Counter())
    return sum(counter.values()), {k: sum(counter[o] for o in ops) for k, ops in KINDS.items()}


def feeds_of(session, name):
    rng = np.random.default_rng(0)
    feeds = {}
    for i in session.get_inputs():
        size = {"batch": 2, "past": 3}
        shape = []
        for d in i.shape:
            if isinstance(d, int):
                shape.append(d)
            elif "batch" in d:
                shape.append(2)
            elif "+" in d:
                shape.append(8)
            elif "past" in d:
                shape.append(size["past"])
            else:
                shape.append(1 if d == "decoder_sequence_length" and "with_past" in name else 5)
        if i.type == "tensor(float)":
            feeds[i.name] = rng.standard_normal(shape).astype(np.float32)
        elif i.type == "tensor(bool)":
            feeds[i.name] = np.zeros(shape, bool)
        elif "mask" in i.name:
            feeds[i.name] = np.ones(shape, np.int64)
            feeds[i.name][1, -2:] = 0
        elif "position" in i.name:
            feeds[i.name] = np.broadcast_to(np.arange(shape[-1]), shape).copy()
        else:
            feeds[i.name] = rng.integers(0, 2, shape) if "token_type" in i.name else rng.integers(5, 90, shape)
    return feeds


def difference(before, after, name):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    a, b = (onnxruntime.InferenceSession(str(p), options, providers=["CPUExecutionProvider"]) for p in (before, after))
    feeds = feeds_of(a, name)
    outputs = [o.name for o in a.get_outputs()]
    pairs = zip(a.run(outputs, feeds), b.run(outputs, feeds))
    return max((float(np.abs(x - y).max()) if x.size else 0.0) for x, y in pairs)


def ort_counts(path, kind):
    from onnxruntime.transformers import optimizer
    try:
        model = optimizer.optimize_model(str(path), model_type=kind, num_heads=HEADS, hidden_size=WIDTH, opt_level=0)
    except Exception:
        return None
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model.model, file.name)
        return counts(file.name)


def arguments():
    """What the scripts over these models take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--only", default="")
    return parser


def files(args):
    """(path, name, kind) of each model, exported where the folder has none yet."""
    folder = args.folder or pathlib.Path(tempfile.mkdtemp())
    if not folder.is_dir() or not any(folder.glob("*.onnx")):
        folder.mkdir(parents=True, exist_ok=True)
        make_files(folder)
    for path in sorted(folder.glob("*.onnx")) + sorted(folder.glob("*-optimum/*.onnx")):
        name = str(path.relative_to(folder))
        if args.only in name:
            yield path, name, next(k for k in ("bert", "gpt2", "t5", "bart") if name.startswith(k))


def main():
    args = arguments().parse_args()
    print("| model | nodes: before, ORT, hone | " + " | ".join(f"{k}: ORT, hone" for k in KINDS) + " | difference |")
    print("|---|---|" + "---|" * (len(KINDS) + 1))
    bad = 0
    for path, name, kind in files(args):
        with tempfile.TemporaryDirectory() as out:
            made = pathlib.Path(out) / "out.onnx"
            done = subprocess.run([args.hone, "opt", str(path), "-o", str(made), "--level", "2"], capture_output=True, text=True)
            if done.returncode:
                print(f"| {name} | hone opt ended with {done.returncode}: {done.stderr.strip()[-200:]} |")
                bad += 1
                continue
            before, ours, theirs = counts(path)[0], counts(made), ort_counts(path, kind)
            off = difference(path, made, name)
        fewer = theirs and any(ours[1][k] < theirs[1][k] for k in KINDS)
        bad += bool(fewer) or not off <= 1e-5
        cells = [f"{theirs[1][k] if theirs else '-'}, {ours[1][k]}" for k in KINDS]
        print(f"| {name} | {before}, {theirs[0] if theirs else '-'}, {ours[0]} | " + " | ".join(cells) +
              f" | {off:.1e}{' FEWER' if fewer else ''} |", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
