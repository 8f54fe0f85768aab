#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's summarizer from nothing: tokenizer, copy lessons, short dialogues, all dialogues.

    nice -n 10 python3 tools/demo/train_model.py --work /tmp/demo-train --out demo/model --minutes 55

A small encoder-decoder trained straight on dialogues learns one sentence that fits them all, because its
cross-attention gives it nothing at first. So the first lessons can only be solved by reading: repeat a list of values,
then answer who said what. Only then come dialogues, short ones first. A row of development figures is logged at every
checkpoint, with the share of distinct outputs: a model that does not read shows there at once.

The schedule is in wall-clock minutes, since the speed of the machine decides how many steps fit. `--resume` goes on
from the last checkpoint with a fresh budget of minutes. Needs torch, transformers, tokenizers, rouge_score.
"""

import argparse
import json
import math
import os
import pickle
import random
import time

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BartConfig, BartForConditionalGeneration

import make_dialogues
import talk
import words
from check_model import measure, read_rows

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
BOS, PAD, EOS = 0, 1, 2
MASK = "<mask>"
MAX_POSITIONS = 512

COPY_END, SHORT_END = 0.13, 0.28  # the share of the time after which each lesson ends
SHORT_TOKENS = 110


class Log:
    """Lines to the screen and to a file, with the minutes since the start."""

    def __init__(self, path):
        self.file = open(path, "a")
        self.start = time.monotonic()

    def __call__(self, text):
        line = f"{(time.monotonic() - self.start) / 60:6.1f} min  {text}"
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()


def train_tokenizer(rows, vocab_size):
    """Byte-level BPE in BART's layout: specials first, `<mask>` last, `<s> A </s>` around a text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - 1, min_frequency=2, special_tokens=SPECIALS,
                                  show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((row[key] for row in rows for key in ("dialogue", "summary")), trainer)
    tokenizer.add_special_tokens([MASK])
    tokenizer.post_processor = processors.RobertaProcessing(sep=("</s>", EOS), cls=("<s>", BOS), trim_offsets=True,
                                                            add_prefix_space=False)
    return tokenizer


def save_tokenizer(tokenizer, folder):
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    config = {"tokenizer_class": "BartTokenizer", "model_max_length": MAX_POSITIONS, "add_prefix_space": False,
              "trim_offsets": True, "errors": "replace", "clean_up_tokenization_spaces": False, "bos_token": "<s>",
              "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>", "pad_token": "<pad>",
              "mask_token": MASK}
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def make_model(vocab_size, args):
    config = BartConfig(
        vocab_size=vocab_size, d_model=args.d_model, encoder_layers=args.layers, decoder_layers=args.layers,
        encoder_attention_heads=args.heads, decoder_attention_heads=args.heads, encoder_ffn_dim=args.ffn,
        decoder_ffn_dim=args.ffn, max_position_embeddings=MAX_POSITIONS, activation_function="gelu", dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, init_std=0.03, scale_embedding=False, bos_token_id=BOS,
        pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=EOS, forced_eos_token_id=EOS)
    model = BartForConditionalGeneration(config)
    model.generation_config.max_length = 80
    model.generation_config.num_beams = 1
    return model


def lesson_values(dice):
    """Some random values of the kinds dialogues hold."""
    lists = [value for name, value in vars(words).items() if name.isupper() and isinstance(value, list)]
    makers = list(talk.MAKERS.values())

    def value():
        kind = dice.below(3)
        if kind == 0:
            return dice.pick(words.FIRST_NAMES)
        return dice.pick(makers)(dice) if kind == 1 else dice.pick(dice.pick(lists))

    return value


def copy_lesson(dice, share):
    """One (source, target) pair. Early on plain repetition, later more and more looking up."""
    value = lesson_values(dice)
    if dice.chance(max(0.15, 1 - 1.6 * share)):
        separator = dice.pick([" ", ", ", "\n", " and "])
        text = separator.join(value() for _ in range(2 + dice.below(7)))
        return text, text
    names = []
    while len(names) < 2 + dice.below(4):
        name = dice.pick(words.FIRST_NAMES)
        if name not in names:
            names.append(name)
    said = {name: [value() for _ in range(1 + dice.below(2))] for name in names}
    source = "\n".join(f"{name}: {', '.join(said[name])}." for name in names)
    asked = sorted(names, key=lambda _: dice.below(1 << 30))[: 1 + dice.below(3)]
    question = "\n" + " ".join(f"{name}?" for name in asked)
    return source + question, ", ".join(f"{name} says {' and '.join(said[name])}" for name in asked) + "."


def encode(tokenizer, pairs):
    sources = tokenizer.encode_batch([source for source, _ in pairs])
    targets = tokenizer.encode_batch([target for _, target in pairs])
    return [(source.ids, target.ids) for source, target in zip(sources, targets)]


def to_batch(pairs):
    """Padded (source, decoder input, labels); the decoder starts with `</s>` as BART's does."""
    def pad(rows):
        length = max(map(len, rows))
        return torch.tensor([row + [PAD] * (length - len(row)) for row in rows])

    return pad([s for s, _ in pairs]), pad([[EOS] + t[:-1] for _, t in pairs]), pad([t for _, t in pairs])


def dialogue_batches(examples, tokens_per_batch, shuffle):
    """Endless batches of like length: sorted within chunks, chunks and batches in random order."""
    while True:
        order = list(range(len(examples)))
        shuffle.shuffle(order)
        for start in range(0, len(order), 4096):
            chunk = sorted(order[start: start + 4096], key=lambda i: len(examples[i][0]))
            batches, batch = [], []
            for index in chunk:
                if batch and (len(batch) + 1) * len(examples[index][0]) > tokens_per_batch:
                    batches.append(batch)
                    batch = []
                batch.append(index)
            shuffle.shuffle(batches)
            for batch in batches:
                yield [examples[index] for index in batch]


def loss_of(model, batch, smoothing):
    """Cross-entropy over real target tokens; padded positions never reach the vocabulary projection."""
    source, decoder_input, labels = batch
    hidden = model.model(input_ids=source, attention_mask=source.ne(PAD), decoder_input_ids=decoder_input,
                         use_cache=False).last_hidden_state
    real = labels.ne(PAD)
    logits = torch.nn.functional.linear(hidden[real], model.model.shared.weight) + model.final_logits_bias[0]
    return torch.nn.functional.cross_entropy(logits.float(), labels[real], label_smoothing=smoothing)


def prepare(args, log):
    """Tokenizer and encoded training rows, kept in the work folder for a later --resume."""
    path = os.path.join(args.work, "encoded.pickle")
    folder = os.path.join(args.work, "last")
    if os.path.exists(path):
        with open(path, "rb") as file:
            return Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), pickle.load(file)
    rows = list(make_dialogues.make_rows("train", args.rows))
    log(f"made {len(rows)} dialogues")
    tokenizer = train_tokenizer(rows[:60000], args.vocab)
    save_tokenizer(tokenizer, folder)
    examples = encode(tokenizer, [(row["dialogue"], row["summary"]) for row in rows])
    with open(path, "wb") as file:
        pickle.dump(examples, file)
    mean = sum(len(s) for s, _ in examples) / len(examples)
    log(f"tokenizer of {tokenizer.get_vocab_size()} entries; a dialogue has {mean:.0f} tokens, a summary "
        f"{sum(len(t) for _, t in examples) / len(examples):.0f}")
    return tokenizer, examples


def save(model, tokenizer, folder):
    model.save_pretrained(folder, safe_serialization=True)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    save_tokenizer(tokenizer, folder)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, help="folder for checkpoints and encoded data")
    parser.add_argument("--out", default="demo/model", help="where the best model goes")
    parser.add_argument("--dev", default="demo/dev.jsonl")
    parser.add_argument("--log", default="demo/train.log")
    parser.add_argument("--minutes", type=float, default=58)
    parser.add_argument("--rows", type=int, default=160000)
    parser.add_argument("--vocab", type=int, default=7800)
    parser.add_argument("--d-model", type=int, default=256)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--ffn", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=400, help="steps")
    parser.add_argument("--tokens", type=int, default=4096, help="source tokens in a batch")
    parser.add_argument("--smoothing", type=float, default=0.02)
    parser.add_argument("--check-minutes", type=float, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 matrix products, where the CPU has them")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


class Lessons:
    """The batches of each lesson, endless."""

    def __init__(self, tokenizer, examples, tokens, seed):
        shuffle = random.Random(1000 + seed)
        self.tokenizer = tokenizer
        self.dice = talk.Dice(f"lessons/{seed}")
        self.short = dialogue_batches([e for e in examples if len(e[0]) <= SHORT_TOKENS], tokens, shuffle)
        self.full = dialogue_batches(examples, tokens, shuffle)

    def next(self, share, resumed):
        """The name of the lesson at this share of the time, and its next batch. A resumed run has had the first two."""
        if resumed or share >= SHORT_END:
            return "full", next(self.full)
        if share >= COPY_END:
            return "short", next(self.short)
        return "copy", encode(self.tokenizer, [copy_lesson(self.dice, share / COPY_END) for _ in range(64)])


def make_optimizer(model, rate):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
                             lr=rate, betas=(0.9, 0.98), eps=1e-8)


def train_step(model, optimizer, pairs, rate, args):
    for group in optimizer.param_groups:
        group["lr"] = rate
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
        loss = loss_of(model, to_batch(pairs), args.smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def check(model, tokenizer, dev_rows, log):
    """Logs the development figures and returns the one that chooses between checkpoints."""
    model.eval()
    figures, texts = measure(model, tokenizer, dev_rows)
    log(f"dev: ROUGE-L {figures['rougeL']:.2f}, facts {figures['facts']:.1f} %, "
        f"distinct {figures['distinct']:.1f} %")
    log(f"dev example: {texts[0]}")
    return figures["rougeL"] + figures["facts"]


def train(args, log):
    tokenizer, examples = prepare(args, log)
    last, best_folder = os.path.join(args.work, "last"), os.path.join(args.work, "best")
    state_path = os.path.join(args.work, "state.pt")
    model = (BartForConditionalGeneration.from_pretrained(last) if args.resume
             else make_model(tokenizer.get_vocab_size(), args))
    optimizer = make_optimizer(model, args.lr)
    step, best = 0, -1.0
    if args.resume:
        state = torch.load(state_path)
        optimizer.load_state_dict(state["optimizer"])
        step, best = state["step"], state["best"]
    log(f"{sum(p.numel() for p in model.parameters())} parameters, starting at step {step}")

    lessons = Lessons(tokenizer, examples, args.tokens, step)
    dev_rows = read_rows(args.dev)[:120]
    begin, first_step, seen, losses, share = time.monotonic(), step, 0, [], 0.0
    next_check = args.check_minutes * 60
    while share < 1.0:
        elapsed = time.monotonic() - begin
        share = min(1.0, elapsed / (args.minutes * 60))
        lesson, pairs = lessons.next(share, args.resume)
        warm = min(1.0, (step - first_step + 1) / args.warmup)
        rate = args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        losses.append(train_step(model, optimizer, pairs, rate, args))
        step += 1
        seen += sum(len(s) + len(t) for s, t in pairs)
        if step % 100 == 0:
            log(f"step {step} {lesson} loss {sum(losses) / len(losses):.3f} lr {rate:.2e} "
                f"{seen / (time.monotonic() - begin):.0f} tokens/s")
            losses = []
        if elapsed > next_check or share >= 1.0:
            next_check += args.check_minutes * 60
            figure = check(model, tokenizer, dev_rows, log)
            if figure > best:
                best = figure
                save(model, tokenizer, best_folder)
            save(model, tokenizer, last)
            torch.save({"optimizer": optimizer.state_dict(), "step": step, "best": best}, state_path)
    save(BartForConditionalGeneration.from_pretrained(best_folder), tokenizer, args.out)
    log(f"best checkpoint written (dev ROUGE-L + facts {best:.2f})")


def main():
    args = parse_arguments()
    os.makedirs(args.work, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    log = Log(args.log)
    hidden = ("work", "out", "dev", "log")
    log("train_model.py " + " ".join(f"{k}={v}" for k, v in vars(args).items() if k not in hidden))
    train(args, log)


if __name__ == "__main__":
    main()
