#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the demo's model on its test set: ROUGE, facts that are right, distinct outputs, sensitivity to damage.

    nice -n 10 python3 tools/demo/check_model.py --model demo/model --data demo/test.jsonl

A fact is a name, time, price, day or thing that the reference holds; it is right when the output holds it too, as
whole words. Damage: every linear and embedding weight rounded to 3 or 2 bits (per row, symmetric, by the largest
absolute value), or a share of every linear layer's rows, those with the smallest L2 norm, set to zero. A model that
still scored as well after that would be no judge of compression. Greedy search by transformers, ROUGE by rouge_score.
"""

import argparse
import copy
import json
import re

import torch

import words

FIRST_NAMES = set(words.FIRST_NAMES)
KINDS = ("names", "times", "prices", "others")


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


def kind_of(fact):
    """names, times, prices or others: how the figures of facts are split."""
    if fact in FIRST_NAMES:
        return "names"
    return "prices" if fact.startswith("$") else "times" if re.search(r":\d\d [ap]m$", fact) else "others"


def count_facts(texts, rows):
    """How many facts of each kind there are, and how many of them the outputs hold."""
    there, right = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for text, row in zip(texts, rows):
        for fact in row["facts"]:
            there[kind_of(fact)] += 1
            right[kind_of(fact)] += has_fact(text, fact)
    return there, right


def score(texts, rows):
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    sums = {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}
    exact = 0
    for text, row in zip(texts, rows):
        for name, value in scorer.score(row["summary"], text).items():
            sums[name] += value.fmeasure
        exact += text == row["summary"]
    figures = {name: 100 * value / len(rows) for name, value in sums.items()}
    there, right = count_facts(texts, rows)
    figures["facts"] = 100 * sum(right.values()) / sum(there.values())
    figures.update({kind: 100 * right[kind] / max(there[kind], 1) for kind in KINDS})
    figures.update(distinct=100 * len(set(texts)) / len(texts), exact=100 * exact / len(rows))
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
    variants = [("as trained", lambda: model)]
    if not args.no_damage:
        variants += [(f"{bits} bits", lambda bits=bits: round_to_bits(model, bits)) for bits in (3, 2)]
        variants += [(f"{share:.0%} rows cut", lambda share=share: prune_rows(model, share)) for share in (0.1, 0.5)]
    print(f"{len(rows)} rows, {sum(p.numel() for p in model.parameters())} parameters")
    whole = None
    for name, damage in variants:
        figures, texts = measure(damage(), tokenizer, rows)
        whole = whole or figures
        loss = 100 * (1 - figures["rougeL"] / max(whole["rougeL"], 1e-9))
        print(f"{name:14s}" + "".join(f"  {key} {value:6.2f}" for key, value in figures.items())
              + f"  ROUGE-L loss {loss:5.1f} %", flush=True)
        for row, text in list(zip(rows, texts))[: args.examples]:
            print(f"  reference: {row['summary']}\n  output:    {text}")


if __name__ == "__main__":
    main()
