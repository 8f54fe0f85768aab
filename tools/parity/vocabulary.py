#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what `hone prune --method vocab` writes against the packages tokenizers and transformers (4.57).

    tools/parity/vocabulary.py HONE DEMO [SHARED]

For the demo's model, and for every tokenizer in SHARED/data/tokenizers around a tiny BART of its size: the package loads the
trimmed tokenizer; on the data it spells the tokens that the whole one does; on other texts and on random Unicode its ids are
hone's, and they decode to what the whole tokenizer's decode to. transformers loads the trimmed demo, and its greedy outputs are
the whole model's, token for token, wherever those stay among the kept ones. Exits 1 where anything differs.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BartConfig, BartForConditionalGeneration, BertTokenizerFast, GPT2TokenizerFast
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(1)
failures = []


def check(good, what):
    print(("ok      " if good else "FAILED  ") + what)
    if not good:
        failures.append(what)


def run(*words, text=None):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, input=text)
    if done.returncode:
        sys.exit(f"{words}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def package(folder):
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "merges.txt").exists():
        tokenizer = GPT2TokenizerFast.from_pretrained(str(folder)).backend_tokenizer
    else:
        tokenizer = BertTokenizerFast(str(folder / "vocab.txt")).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def hone_ids(hone, folder, texts):
    lines = run(hone, "tokenize", folder, text="".join(json.dumps(t) + "\n" for t in texts))
    return [json.loads(line)["ids"] for line in lines.split("\n")[:-1]]


def random_texts(count):
    draw = random.Random(5)
    texts = []
    for _ in range(count):
        top = draw.choice([0x7F, 0x7F, 0x24F, 0x3FFF, 0xD7FF, 0x1FAFF])
        codes = [draw.randrange(0x20, top) for _ in range(draw.randrange(1, 40))]
        texts.append("".join(chr(c) for c in codes if not 0xD800 <= c < 0xE000))
    return texts


def compare(hone, name, whole, out, data, others, known):
    before, after = package(whole), package(out)
    same = sum(before.encode(t).tokens == after.encode(t).tokens for t in data)
    check(same == len(data), f"{name}: {same} of {len(data)} texts of the data have the tokens they had")
    texts = data[:50] + others + random_texts(2000)
    ids = [after.encode(t).ids for t in texts]
    equal = sum(a == b for a, b in zip(ids, hone_ids(hone, out, texts)))
    check(equal == len(texts), f"{name}: {equal} of {len(texts)} texts have the package's ids")
    back = sum(after.decode(after.encode(t).ids) == before.decode(before.encode(t).ids) for t in texts)
    least = len(texts) if known else len(data[:50] + others)
    check(back >= least, f"{name}: {back} of {len(texts)} texts decode as before")
    longer = sum(len(after.encode(t).ids) for t in others) / sum(len(before.encode(t).ids) for t in others)
    print(f"        held-out texts get {100 * (longer - 1):.2f} % longer")


def prune(hone, model, out, rows, folder):
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer = json.loads(run(hone, "prune", model, "-o", out, "--method", "vocab", "--data", data, "--no-measure", "--json"))
    run(hone, "verify", out)
    print(f"        {answer['units']} tokens to {answer['units'] - answer['removed']}, {answer['original_mb']:.2f} MB to "
          f"{answer['pruned_mb']:.2f} MB, {answer['data']['changed']} of {answer['data']['texts']} texts changed")
    check(answer["data"]["changed"] == 0 and answer["covered"] == 1, f"{model}: hone says that nothing changed")


def demo_check(hone, demo, folder):
    rows = [json.loads(line) for line in (demo.parent / "dev.jsonl").open()][:200]
    others = [json.loads(line)["dialogue"] for line in (demo.parent / "test.jsonl").open()][:60]
    out = folder / "demo"
    prune(hone, demo, out, [{"text": r["dialogue"], "summary": r["summary"]} for r in rows], folder)
    compare(hone, "demo", demo, out, [r[k] for r in rows for k in ("dialogue", "summary")], others, True)
    tokenizers = [AutoTokenizer.from_pretrained(f) for f in (demo, out)]
    models = [AutoModelForSeq2SeqLM.from_pretrained(f).eval() for f in (demo, out)]
    check(models[1].config.vocab_size == models[1].model.shared.weight.shape[0], "demo: transformers loads the rows")
    kept = set(tokenizers[1].get_vocab())
    inside = equal = 0
    for text in others + [r["dialogue"] for r in rows[:20]]:
        if not set(tokenizers[0](text).tokens()) <= kept:
            continue
        spelled = []
        for tokenizer, model in zip(tokenizers, models):
            with torch.no_grad():
                ids = model.generate(**tokenizer(text, return_tensors="pt"), num_beams=1, do_sample=False)
            spelled.append(tokenizer.convert_ids_to_tokens(ids[0]))
        if set(spelled[0]) <= kept:
            inside += 1
            equal += spelled[0] == spelled[1]
    check(inside >= 15 and equal == inside, f"demo: {equal} of {inside} greedy outputs are the whole model's")


def tiny_bart(source, folder):
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("config.json", "generation_config.json"))
    tokenizer = package(folder)
    rows = max(tokenizer.get_vocab().values()) + 1
    first = next((i for i in (1, 2, 0) if tokenizer.id_to_token(i)), 0)
    config = BartConfig(vocab_size=rows, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64,
                        pad_token_id=first, bos_token_id=first, eos_token_id=first, decoder_start_token_id=first,
                        forced_eos_token_id=None)
    for file in folder.iterdir():
        file.chmod(0o644)
    if not (folder / "tokenizer.json").exists() and (folder / "vocab.txt").exists():
        # as BertTokenizerFast takes a vocab.txt alone
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    BartForConditionalGeneration(config).save_pretrained(folder)


def shared_check(hone, shared, folder):
    rows = [json.loads(line) for line in (shared / "data/dialogsum/train.jsonl").open()][:600]
    english = [{"text": r["dialogue"], "summary": r["summary"]} for r in rows]
    chat = [json.loads(line) for line in (shared / "data/korean/chat.jsonl").open()][:1500]
    korean = [{"text": r["q"], "summary": r["a"]} for r in chat]
    for source in sorted((shared / "data/tokenizers").iterdir()):
        if not any((source / f).exists() for f in ("tokenizer.json", "merges.txt", "vocab.txt")):
            continue
        name = source.name
        data = korean if name.startswith("ko") else english
        whole, out = folder / name, folder / (name + "-trimmed")
        tiny_bart(source, whole)
        prune(hone, whole, out, data[:400], folder)
        # Unigram may take a rare character for unknown where only longer tokens have it, WordPiece may spell a word that was unknown.
        known = name not in ("t5", "t5-new-format", "korean-unigram-4k") and not name.startswith("bert")
        compare(hone, name, whole, out, [t for r in data[:400] for t in r.values()],
                [t for r in data[400:] for t in r.values()], known)


def main():
    hone, demo = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        demo_check(hone, demo, pathlib.Path(temporary))
        if len(sys.argv) > 3:
            shared_check(hone, pathlib.Path(sys.argv[3]).resolve(), pathlib.Path(temporary))
    sys.exit(1 if failures else 0)


main()
