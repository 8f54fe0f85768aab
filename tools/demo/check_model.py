#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the demo's model on its test set: ROUGE, facts that are right, distinct outputs, sensitivity to damage.

    nice -n 10 python3 tools/demo/check_model.py --model demo/model --data demo/test.jsonl

A fact is a name, time, price, day or thing that the reference holds; it is right when the output holds it too, as
whole words. Damage: every linear and embedding weight rounded to 3 bits (per row, symmetric, by the largest absolute
value), or the half of every linear layer's rows with the smaller L2 norm set to zero. A model that still scored as
well after that would be no judge of compression. Greedy search by transformers, ROUGE by rouge_score.
"""

import argparse
import copy
import json
import re

import torch


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def summarize(model, tokenizer, dialogues, batch_size=32, max_source=512, **options):
    """Greedy summaries, longest dialogues together so that little is padding."""
    encoded = [tokenizer.encode(dialogue).ids[:max_source] for dialogue in dialogues]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    ret_texts = [""] * len(encoded)
    for start in range(0, len(order), batch_size):
        part = order[start: start + batch_size]
        length = max(len(encoded[i]) for i in part)
        source = torch.full((len(part), length), model.config.pad_token_id)
        for row, i in enumerate(part):
            source[row, : len(encoded[i])] = torch.tensor(encoded[i])
        with torch.no_grad():
            ids = model.generate(input_ids=source, attention_mask=source.ne(model.config.pad_token_id), num_beams=1,
                                 do_sample=False, max_length=80, **options)
        for row, i in enumerate(part):
            ret_texts[i] = tokenizer.decode(ids[row].tolist(), skip_special_tokens=True).strip()
    return ret_texts


def has_fact(text, fact):
    return re.search(r"(?<![\w$])" + re.escape(fact.lower()) + r"(?!\w)", text.lower()) is not None


def score(texts, rows):
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    sums = {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}
    facts = right = exact = 0
    for text, row in zip(texts, rows):
        for name, value in scorer.score(row["summary"], text).items():
            sums[name] += value.fmeasure
        facts += len(row["facts"])
        right += sum(has_fact(text, fact) for fact in row["facts"])
        exact += text == row["summary"]
    figures = {name: 100 * value / len(rows) for name, value in sums.items()}
    figures.update(facts=100 * right / facts, distinct=100 * len(set(texts)) / len(texts),
                   exact=100 * exact / len(rows))
    return figures


def measure(model, tokenizer, rows):
    texts = summarize(model, tokenizer, [row["dialogue"] for row in rows])
    return score(texts, rows), texts


def round_to_bits(model, bits):
    """A copy whose matrices hold 2^bits - 1 levels per row."""
    model = copy.deepcopy(model)
    top = 2 ** (bits - 1) - 1
    for weight in (m.weight for m in model.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Embedding))):
        if getattr(weight, "rounded", False):
            continue
        scale = weight.data.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / top
        weight.data = (weight.data / scale).round() * scale
        weight.rounded = True
    return model


def prune_rows(model, share):
    """A copy without the weakest rows of its linear layers; the tied vocabulary matrix stays."""
    from torch.nn.utils import prune

    model = copy.deepcopy(model)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            prune.ln_structured(module, "weight", amount=share, n=2, dim=0)
            prune.remove(module, "weight")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo/model")
    parser.add_argument("--data", default="demo/test.jsonl")
    parser.add_argument("--rows", type=int, help="only the first rows")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--examples", type=int, default=0, help="print so many outputs")
    parser.add_argument("--no-damage", action="store_true", help="skip the sensitivity part")
    args = parser.parse_args()
    from tokenizers import Tokenizer
    from transformers import BartForConditionalGeneration

    torch.set_num_threads(args.threads)
    rows = read_rows(args.data)[: args.rows]
    tokenizer = Tokenizer.from_file(f"{args.model}/tokenizer.json")
    model = BartForConditionalGeneration.from_pretrained(args.model).eval()
    variants = [("as trained", model)]
    if not args.no_damage:
        variants += [("3 bits", round_to_bits(model, 3)), ("half the rows", prune_rows(model, 0.5))]
    print(f"{len(rows)} rows, {sum(p.numel() for p in model.parameters())} parameters")
    whole = None
    for name, variant in variants:
        figures, texts = measure(variant, tokenizer, rows)
        whole = whole or figures
        loss = 100 * (1 - figures["rougeL"] / max(whole["rougeL"], 1e-9))
        print(f"{name:14s}" + "".join(f"  {key} {value:6.2f}" for key, value in figures.items())
              + f"  ROUGE-L loss {loss:5.1f} %", flush=True)
        for row, text in list(zip(rows, texts))[: args.examples]:
            print(f"  reference: {row['summary']}\n  output:    {text}")


if __name__ == "__main__":
    main()
