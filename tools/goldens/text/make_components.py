#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/components.json: small tokenizers, one per component and setting, and what the PyPI package
`tokenizers` makes of some texts with them.

    python3 tools/goldens/text/make_components.py tests/golden/text/components.json

Normalizers and pre-tokenizers are shown through a WordLevel model whose vocabulary is the pieces that the package cuts, so
that any other piece is <unk>.
"""
import json
import sys

import tokenizers
from tokenizers import Tokenizer, normalizers, pre_tokenizers

TEXTS = ["", " ", "Hello, world!", "  two  spaces  and\ttab\nline\r\n ", "don't 'S I'VE they're 1,234.5 x2y", "Caf\u00e9 e\u0301 \ufb01 \u2460\u0301 \u0130I \u03a3\u03c2",
         "\u4e2d\u6587 and \u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8 \uac00\ub098 \u1100\u1161\u11a8", "a\u0323\u0307b \u0344 \u1e9b\u0323", "\u2581lead \u2581\u2581 in\u2581side", "nul\0in \ufffd \u200b\u200d\ufeff",
         "\U0001f468\u200d\U0001f469 \U0001f1f0\U0001f1f7 \U00010400", "--a--b-- final...", "123 \u0663\u0664 \u00bd \u2167", "ABC abc AbC", "<s>x</s> <mask>  y"]

NORMALIZERS = {
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
    "lowercase": {"type": "Lowercase"}, "strip_accents": {"type": "StripAccents"}, "nmt": {"type": "Nmt"},
    "strip_both": {"type": "Strip", "strip_left": True, "strip_right": True},
    "strip_left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "strip_right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "prepend": {"type": "Prepend", "prepend": "\u2581"},
    "replace_text": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "replace_regex": {"type": "Replace", "pattern": {"Regex": " {2,}|\\d+"}, "content": "#"},
    "byte_level": {"type": "ByteLevel"},
    "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "bert_cased": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "strip_accents": None, "lowercase": False},
    "bert_accents": {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": True, "lowercase": False},
    "sequence": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Sequence", "normalizers": [{"type": "StripAccents"}]}, {"type": "Lowercase"}]},
}

PRE_TOKENIZERS = {
    "byte_level": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "byte_level_prefix": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "byte_level_whole": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    "whitespace": {"type": "Whitespace"}, "whitespace_split": {"type": "WhitespaceSplit"}, "bert": {"type": "BertPreTokenizer"},
    "metaspace_old": {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True},
    "metaspace_first": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
    "metaspace_never": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": True},
    "metaspace_whole": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False},
    "digits": {"type": "Digits", "individual_digits": False}, "digits_each": {"type": "Digits", "individual_digits": True},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "-"}, "scripts": {"type": "UnicodeScripts"},
    "fixed": {"type": "FixedLength", "length": 3},
    "sequence": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}, {"type": "Digits", "individual_digits": True}]},
    "split_then_bytes": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
         "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
}
for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    PRE_TOKENIZERS["punctuation_" + behavior] = {"type": "Punctuation", "behavior": behavior}
    for invert in (False, True):
        name = behavior + ("_inverted" if invert else "")
        PRE_TOKENIZERS["split_text_" + name] = {"type": "Split", "pattern": {"String": "-"}, "behavior": behavior, "invert": invert}
        PRE_TOKENIZERS["split_regex_" + name] = {"type": "Split", "pattern": {"Regex": "\\w+|\\s*"}, "behavior": behavior, "invert": invert}

LETTERS = {c: i for i, c in enumerate(["<unk>", "<s>", "</s>", "a", "b", "c", "d", "e", "h", "l", "o", "r", "w", " ", "\u2581", "##l", "##o", "##</w>", "o</w>",
                                       "he", "ll", "hell", "hello", "lo", "wo", "##r", "low", "er", "lower", "l</w>"])}
BYTES = {**LETTERS, **{f"<0x{i:02X}>": len(LETTERS) + i for i in range(256)}}
MERGES = [["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["l", "o"], ["w", "o"], ["e", "r"]]


def bpe(vocab, merges, **settings):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **settings, "vocab": vocab, "merges": merges}


MODEL_TEXTS = ["hello world", "hellolower lower", "xyz", "aXXb", "X hello X", "\uac00\ub098 hello", "", "  ", "wor lo", "l" * 30 + "o", "hello" * 40, "xhexllxo" * 12]
UNIGRAM = [["<unk>", 0.0], ["\u2581", -2.0], ["h", -3.0], ["e", -3.1], ["l", -3.2], ["o", -3.3], ["he", -4.0], ["hell", -5.0], ["hello", -6.0], ["lo", -4.5],
           ["w", -5.0], ["wor", -7.0], ["r", -6.0], ["or", -5.5], [" ", -2.5], ["ll", -6.4]]
MODELS = {
    "bpe": bpe(LETTERS, MERGES), "bpe_legacy": bpe(LETTERS, ["#version: 0.2"] + [" ".join(m) for m in MERGES]),
    "bpe_unk": bpe(LETTERS, MERGES, unk_token="<unk>"), "bpe_fuse": bpe(LETTERS, MERGES, unk_token="<unk>", fuse_unk=True),
    "bpe_bytes": bpe(BYTES, MERGES, unk_token="<unk>", byte_fallback=True, fuse_unk=True),
    "bpe_some_bytes": bpe({**LETTERS, "<0x58>": 90}, MERGES, unk_token="<unk>", byte_fallback=True),
    "bpe_ignore": bpe(LETTERS, MERGES[:2], ignore_merges=True),
    "bpe_suffix": bpe(LETTERS, [["h", "e"], ["l", "l"]], end_of_word_suffix="</w>", unk_token="<unk>"),
    "bpe_prefix": bpe({**LETTERS, "l##o": 91}, [["l", "##o"]], continuing_subword_prefix="##", unk_token="<unk>"),
    "unigram": {"type": "Unigram", "unk_id": 0, "vocab": UNIGRAM},
    "unigram_bytes": {"type": "Unigram", "unk_id": 0, "vocab": UNIGRAM + [[f"<0x{i:02X}>", -20.0] for i in range(256)], "byte_fallback": True},
    "word_piece": {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 31, "vocab": LETTERS},
    "word_level": {"type": "WordLevel", "unk_token": "<unk>", "vocab": LETTERS},
}

DECODERS = {
    "none": None, "byte_level": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "word_piece": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "word_piece_plain": {"type": "WordPiece", "prefix": "##", "cleanup": False},
    "metaspace": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
    "metaspace_never": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True},
    "bpe": {"type": "BPEDecoder", "suffix": "</w>"}, "ctc": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
    "ctc_plain": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": False},
    "byte_fallback": {"type": "ByteFallback"}, "fuse": {"type": "Fuse"}, "replace": {"type": "Replace", "pattern": {"Regex": "l+"}, "content": "L"},
    "strip": {"type": "Strip", "content": "\u2581", "start": 1, "stop": 0},  # both ends of a lone character make the package panic
    "strip_behind": {"type": "Strip", "content": "\u2581", "start": 0, "stop": 1},
    "llama": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                               {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
}
DECODED = ["<unk>", "<s>", "\u2581he", "ll", "\u2581", "o</w>", "##er", "do", " not", "n't", ".", "<pad>", "<pad>", "|", "l", "l", "<0xEA>", "<0xB0>", "<0x80>", "<0xFF>", "\u0120caf", "\u00c3\u00a9", "\u00c3", "\uac00", "'s", "!", "\u2581\u2581x\u2581"]


def added(content, id=0, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


ADDED_TEXTS = ["<s>hello</s>", "x <m>  hello", "cat concat cat's _cat cat", "HELLO Hello hello", "<s><s> <m><m>", "a  <m>  b", "<new> hello <new2>", "aab aaab"]
ADDED = [added("<s>", special=True), added("</s>", special=True, rstrip=True), added("<m>", lstrip=True, special=True), added("cat", single_word=True),
         added("Hello", normalized=True), added("<new>"), added("<new2>", rstrip=True, lstrip=True), added("aa"), added("aaa")]

POST = {
    "bert": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]},
    "roberta": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False},
    "byte_level": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
    "template": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "E", "type_id": 0}}],
                 "pair": [{"SpecialToken": {"id": "E", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "S", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}],
                 "special_tokens": {"E": {"id": "E", "ids": [2, 1], "tokens": ["</s>", "<s>"]}, "S": {"id": "S", "ids": [1], "tokens": ["<s>"]}}},
}
POST["sequence"] = {"type": "Sequence", "processors": [POST["byte_level"], POST["template"]]}


def tokenizer(model, **parts):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, **parts, "model": model}


def load(value):
    return Tokenizer.from_str(json.dumps(value))


def word_level_of(pieces):
    return {"type": "WordLevel", "unk_token": "<unk>", "vocab": {piece: i for i, piece in enumerate(["<unk>"] + sorted(set(pieces) - {"<unk>"}))}}


def case(name, value, texts, **more):
    package = load(value)
    ids = [package.encode(text).ids for text in texts]
    return {"name": name, "tokenizer": value, "texts": texts, "ids": ids, **more}


def clean(pieces):
    return [piece for piece in pieces if piece and "\0" not in piece]


def main(path):
    cases = []
    for name, part in NORMALIZERS.items():
        wrapped = load(tokenizer(word_level_of([]), normalizer=part)).normalizer
        pieces = clean(wrapped.normalize_str(text) for text in TEXTS)
        cases.append(case("normalizer " + name, tokenizer(word_level_of(pieces), normalizer=part), TEXTS))
    for name, part in PRE_TOKENIZERS.items():
        wrapped = load(tokenizer(word_level_of([]), pre_tokenizer=part)).pre_tokenizer
        pieces = clean(piece for text in TEXTS for piece, _ in wrapped.pre_tokenize_str(text))
        cases.append(case("pre_tokenizer " + name, tokenizer(word_level_of(pieces), pre_tokenizer=part), TEXTS))
    split = PRE_TOKENIZERS["whitespace_split"]
    for name, model in MODELS.items():
        cases.append(case("model " + name, tokenizer(model, pre_tokenizer=None if "unigram" in name or "byte" in name else split), MODEL_TEXTS))
    cases.append(case("model bpe_metaspace", tokenizer(bpe({**BYTES, "\u2581he": 400}, MERGES + [["\u2581", "he"]], unk_token="<unk>", byte_fallback=True, fuse_unk=True),
                                                        normalizer={"type": "Sequence", "normalizers": [NORMALIZERS["prepend"], NORMALIZERS["replace_text"]]}), MODEL_TEXTS))
    for normalizer in (None, NORMALIZERS["lowercase"], NORMALIZERS["prepend"]):
        value = tokenizer(MODELS["bpe_unk"], added_tokens=ADDED, normalizer=normalizer, pre_tokenizer=PRE_TOKENIZERS["metaspace_first"])
        cases.append(case("added " + str(normalizer and normalizer["type"]), value, ADDED_TEXTS + MODEL_TEXTS))
    for name, part in POST.items():
        value = tokenizer(MODELS["bpe"], post_processor=part)
        package = load(value)
        pairs = [["hello", "lower"], ["", "a"], ["a", ""]]
        cases.append(case("post_processor " + name, value, MODEL_TEXTS[:3], pairs=pairs, pair_ids=[package.encode(*pair).ids for pair in pairs],
                          plain_ids=[package.encode(text, add_special_tokens=False).ids for text in MODEL_TEXTS[:3]]))
    for direction in ("Right", "Left"):
        for strategy in ("LongestFirst", "OnlyFirst"):
            for most in (4, 7):
                value = tokenizer(MODELS["bpe"], post_processor=POST["roberta"], truncation={"direction": direction, "max_length": most, "strategy": strategy, "stride": 0})
                package = load(value)
                pairs = [["abcdeabcde", "a"], ["abcdeabc", "ab"]] if most == 7 else []
                cases.append(case(f"truncation {direction} {strategy} {most}", value, ["abcdeabcde", "ab"], pairs=pairs,
                                  pair_ids=[package.encode(*pair).ids for pair in pairs]))
    vocab = {token: i for i, token in enumerate(dict.fromkeys(DECODED))}
    for name, part in DECODERS.items():
        value = tokenizer({"type": "WordLevel", "unk_token": "<unk>", "vocab": vocab}, decoder=part, added_tokens=[added("<s>", special=True)])
        package = load(value)
        lists = [[vocab[token] for token in DECODED], [vocab[t] for t in ("<s>", "\u2581he", "ll", "<0xEA>", "<0xB0>", "<0x80>", ".")], [vocab["\u2581"]], [999, 0, 1]]
        cases.append({"name": "decoder " + name, "tokenizer": value, "texts": [], "ids": [], "decode_ids": lists,
                      "decoded": [package.decode(ids, skip_special_tokens=False) for ids in lists], "decoded_plain": [package.decode(ids) for ids in lists]})
    with open(path, "w") as file:
        file.write('{"made_with": "tokenizers ' + tokenizers.__version__ + '", "cases": [\n')
        file.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main(sys.argv[1])
