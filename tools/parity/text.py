#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts where `hone tokenize` and `hone detokenize` differ from the reference packages, and times both on one thread.

    python3 tools/parity/text.py --hone build/hone --shared ../shared [--random 20000] [--speed] [FOLDER ...]

The reference is the PyPI package `tokenizers` for folders with a tokenizer.json, transformers' conversion for older ones,
and `sentencepiece` for .model files. Texts: every dialogue and summary of DialogSum, 2,000 lines of Korean chat, AMI, and
random Unicode. Exits 1 if anything differs.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

FOLDERS = ["bart", "bart-large-cnn-variant", "gpt2", "bert-base-uncased", "bert-base-cased", "t5", "t5-new-format",
           "phi-3-mini", "kobart", "korean-unigram-4k", "t5/spiece.model", "sentencepiece-test/test_model.model",
           "sentencepiece-test/test_ja_model.model", "sentencepiece-test/test_sentencepiece.model",
           "sentencepiece-test/test_sentencepiece_bpe.model"]


class Package:
    """`tokenizers`, loaded from a folder."""

    def __init__(self, folder):
        from tokenizers import Tokenizer
        if (folder / "tokenizer.json").exists():
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        elif (folder / "merges.txt").exists():
            from transformers import GPT2TokenizerFast
            self.tokenizer = GPT2TokenizerFast.from_pretrained(str(folder)).backend_tokenizer
        else:
            from transformers import BertTokenizerFast
            self.tokenizer = BertTokenizerFast(str(folder / "vocab.txt")).backend_tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def encode(self, texts):
        return [self.tokenizer.encode(text).ids for text in texts]

    def decode(self, ids, skip):
        return self.tokenizer.decode(ids, skip_special_tokens=skip)

    def spell(self, ids):
        return [self.tokenizer.id_to_token(i) for i in ids]


class SentencePiece:
    def __init__(self, path):
        import sentencepiece
        self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def encode(self, texts):
        return self.processor.encode(texts, num_threads=1)

    def decode(self, ids, skip):
        return None  # unknown pieces and control pieces are spelled otherwise on purpose

    def spell(self, ids):
        return [self.processor.id_to_piece(i) for i in ids]


def texts_of(shared):
    texts = []
    for path in sorted((shared / "data/dialogsum").glob("*.jsonl")):
        for line in path.open():
            row = json.loads(line)
            texts += [v for k, v in row.items() if k.startswith(("dialogue", "summar")) and isinstance(v, str)]
            texts += [t for v in row.values() if isinstance(v, list) for t in v if isinstance(t, str)]
    chat = [json.loads(line) for line in (shared / "data/korean/chat.jsonl").open()][:1000]
    texts += [row[key] for row in chat for key in ("q", "a")]
    for path in sorted((shared / "data/ami").glob("*.jsonl")):
        for line in path.open():
            texts += [v for v in json.loads(line).values() if isinstance(v, str)]
    return texts


RANGES = [(0x20, 0x7F), (0, 0x20), (0x80, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x1100), (0x1100, 0x1200),
          (0x1200, 0x2000), (0x2000, 0x2070), (0x2070, 0x3000), (0x3000, 0x3100), (0x3100, 0x4E00), (0x4E00, 0xA000),
          (0xA000, 0xAC00), (0xAC00, 0xD7B0), (0xD7B0, 0xD800), (0xE000, 0xF900), (0xF900, 0x10000), (0x10000, 0x13000),
          (0x16000, 0x19000), (0x1B000, 0x1C000), (0x1CF00, 0x1E000), (0x1E000, 0x1F000), (0x1F000, 0x20000), (0x20000, 0x32400),
          (0x40000, 0x40100), (0xE0000, 0xE0200), (0xF0000, 0xF0100), (0x10FF00, 0x110000)]
SPECIAL = ["\0", "\ufffd", "\n", "\r\n", "\t", " ", "  ", "    ", "\u3000", "\u00a0", "\u200b", "\u200d", "\ufeff", "\u2581", "\u0130",
           "\u03a3", "\u1e9e", "\ufdfa", "'s", "'re", "\u2019s", "<s>", "</s>", "<pad>", "<mask>", " <mask> ", "[CLS]", "[SEP]", "<unk>",
           "<extra_id_0>", "<|endoftext|>", "<|end|>", "<0x0A>", "##a", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1f0\U0001f1f7",
           "\u1100\u1161\u11a8", "e\u0301", "a\u0323\u0307", "\u0344", "\u2460\u0301", "\u00a9\u200d", "\u0915\u094d\u0937", "don't", "1,234.5"]


def random_texts(count, seed):
    """Random ranges, runs and specials; every tenth text is long, every fiftieth one very long word."""
    rng = random.Random(seed)
    texts = []
    for i in range(count):
        parts = []
        length = rng.randint(200, 600) if i % 10 == 0 else rng.randint(1, 40)
        home = [rng.choice(RANGES) for _ in range(rng.randint(1, 4))]
        while length > 0:
            kind = rng.random()
            if kind < 0.12:
                parts.append(rng.choice(SPECIAL))
            elif kind < 0.2:
                parts.append(" ")
            elif kind < 0.25:
                parts.append(chr(rng.randrange(0x300, 0x370)) * rng.randint(1, 3))
            else:
                low, high = rng.choice(home) if kind < 0.9 else rng.choice(RANGES)
                parts.append(chr(rng.randrange(low, high)))
            length -= 1
        text = "".join(parts)
        texts.append(text.replace(" ", "") * rng.randint(5, 20) if i % 50 == 7 else text)
    return texts


def hone(args, lines):
    done = subprocess.run(args, input="\n".join(lines) + "\n", capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        print(done.stderr.strip()[:500], file=sys.stderr)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def shown(value):
    return ascii(value)[:160]


def compare(name, program, path, package, texts):
    want = package.encode(texts)
    got = hone([program, "tokenize", str(path)], [json.dumps(text) for text in texts])
    differ = [i for i in range(len(texts)) if i >= len(got) or got[i].get("ids") != want[i]]
    spelled = sum(1 for i in range(len(got)) if i not in set(differ) and got[i]["tokens"] != package.spell(want[i]))
    for i in differ[:3]:
        print("   text", shown(texts[i]), "\n   want", shown(want[i]), "\n   got ", shown(got[i] if i < len(got) else None))
    undecoded = 0
    for skip in (False, True):
        decoded = hone([program, "detokenize", str(path)] + ([] if skip else ["--keep-special"]), [json.dumps(ids) for ids in want])
        for i, ids in enumerate(want):
            expected = package.decode(ids, skip)
            if expected is None:
                continue
            if cleans_up(path):
                expected = clean_up(expected)
            if expected != decoded[i]:
                undecoded += 1
                if undecoded <= 2:
                    print("   ids ", shown(ids), "\n   want", shown(expected), "\n   got ", shown(decoded[i]))
    print(f"{name}: {len(texts)} texts, {len(differ)} encoded differently, {spelled} spelled differently, "
          f"{undecoded} decoded differently", flush=True)
    return len(differ) + spelled + undecoded


def cleans_up(path):
    config = Path(path) / "tokenizer_config.json"
    return config.exists() and json.loads(config.read_text()).get("clean_up_tokenization_spaces") is True


def clean_up(text):
    for old, new in ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"),
                     (" 've", "'ve"), (" 're", "'re")):
        text = text.replace(old, new)
    return text


def speed(name, program, path, package, texts):
    """Ratio of throughputs; hone's time is the process's, less that of tokenizing nothing (loading)."""
    lines = [json.dumps(text) for text in texts]

    def process_seconds(some):
        start = time.perf_counter()
        hone_out = subprocess.run([program, "tokenize", str(path)], input="\n".join(some) + "\n", capture_output=True, text=True)
        assert hone_out.returncode == 0
        return time.perf_counter() - start

    theirs = ours = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        package.encode(texts)
        theirs = min(theirs, time.perf_counter() - start)
        ours = min(ours, process_seconds(lines) - process_seconds(lines[:1]))
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{name}: {size / ours:.1f} MB/s (JSON lines in and out included) against {size / theirs:.1f} MB/s: {theirs / ours:.1f} times",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--random", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("folders", nargs="*", default=FOLDERS)
    options = parser.parse_args()
    real = texts_of(options.shared)
    texts = real + random_texts(options.random, options.seed)
    wrong = 0
    for name in options.folders:
        path = options.shared / "data/tokenizers" / name
        package = SentencePiece(path) if name.endswith(".model") else Package(path)
        if options.speed:
            speed(name, options.hone, path, package, real)
        else:
            wrong += compare(name, options.hone, path, package, texts)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
