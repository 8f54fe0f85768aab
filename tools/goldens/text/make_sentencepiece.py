#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains two small SentencePiece models on sentences made here and writes what SentencePiece itself, and transformers' slow
tokenizers around it, make of some texts.

    python3 tools/goldens/text/make_sentencepiece.py tests/golden/text
"""
import io
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
import transformers

WORDS = ("the a small large old new train ship letter answer question morning evening river bridge garden market price ticket window teacher "
         "student doctor driver reads writes sells carries brings forgets remembers opens closes before after under over near without and "
         "but because slowly quickly today tomorrow never often Anna Boris Chen Dora 12 30 7.50 caf\u00e9 na\u00efve "
         "\uc624\ub298 \ub0b4\uc77c \uae30\ucc28 \ud3b8\uc9c0 \uc2dc\uc7a5 \uac00\uaca9 \ud559\uc0dd \uc120\uc0dd\ub2d8 \ucc3d\ubb38 \uc544\uce68 \uc800\ub141").split()
TEXTS = ["", " ", "The train leaves at 7.50 today.", "  two  blanks \t and a tab\nline ", "\u2581lead and trail\u2581 ", "caf\u00e9 nai\u0308ve \ufb01ne \u2460\u0301",
         "\uc624\ub298 \uc2dc\uc7a5 \uac00\uaca9\uc774 \u1100\u1161", "\u732b and \U0001f63a cats", "<s>the</s> <unk> <mask> <pad>", "the\u3000river\u00a0bridge", "a" * 60, "Anna remembers the letter, Boris forgets it!"]


def sentences(count):
    rng = random.Random(7)
    for _ in range(count):
        yield " ".join(rng.choice(WORDS) for _ in range(rng.randint(4, 12))) + rng.choice([".", "?", "!", ""])


# A normalization table of our own: code points in hexadecimal, from and to.
RULES = {"\ufb01": "fi", "\u2460": "1", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ", "i\u0308": "\u00ef", "e\u0301": "\u00e9", "\u1100\u1161": "\uac00"}


def rules_file(folder):
    path = Path(folder) / "rules.tsv"
    spell = lambda text: " ".join(f"{ord(c):X}" for c in text)
    path.write_text("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in RULES.items()))
    return str(path)


def train(path, **settings):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=sentences(3000), model_writer=model, num_threads=1, minloglevel=2,
                                             hard_vocab_limit=False, **settings)
    path.write_bytes(model.getvalue())


def main(folder):
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as here:
        train(folder / "tiny_unigram.model", model_type="unigram", vocab_size=320, normalization_rule_tsv=rules_file(here))
    train(folder / "tiny_bpe.model", model_type="bpe", vocab_size=640, byte_fallback=True, normalization_rule_name="identity",
          remove_extra_whitespaces=False)
    cases = []
    for name in ("tiny_unigram", "tiny_bpe"):
        plain = sentencepiece.SentencePieceProcessor(model_file=str(folder / (name + ".model")))
        cases.append({"model": name, "config": None, "texts": TEXTS, "ids": [plain.encode(text) for text in TEXTS]})
    for name, kind, config in (("tiny_unigram", "T5", {}), ("tiny_unigram", "XLMRoberta", {}), ("tiny_unigram", "MBart", {"src_lang": "ro_RO"}),
                               ("tiny_unigram", "MBart50", {"src_lang": "ko_KR"}), ("tiny_bpe", "Llama", {"add_eos_token": True})):
        with tempfile.TemporaryDirectory() as here:
            shutil.copy(folder / (name + ".model"), Path(here) / "model.model")
            tokenizer = getattr(transformers, kind + "Tokenizer")(str(Path(here) / "model.model"), **config)
            texts = [text for text in TEXTS if "<" not in text and "\u2581" not in text and text.strip() == text and text]
            cases.append({"model": name, "config": {"tokenizer_class": kind + "Tokenizer", **config}, "texts": texts,
                          "ids": [tokenizer(text)["input_ids"] for text in texts],
                          "pair_ids": [tokenizer(a, b)["input_ids"] for a, b in zip(texts, texts[1:])]})
    (folder / "sentencepiece.json").write_text(json.dumps({"made_with": f"sentencepiece {sentencepiece.__version__}, transformers "
                                                           f"{transformers.__version__}", "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
