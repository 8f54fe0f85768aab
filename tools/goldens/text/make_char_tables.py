#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/text/char_tables.inc: what the PyPI package `tokenizers` thinks of every code point, found by asking it.

Its parts are built on several Unicode versions (normalization on 9, categories on an older one, lower-casing and `\\w` on 16,
Oniguruma on 16), so no library's tables agree with all of them. Run with `tokenizers` installed:

    python3 tools/goldens/text/make_char_tables.py src/text/char_tables.inc
"""
import sys
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers
import tokenizers

# Planes 4 to 13 hold nothing: their first and last characters stand for all of them.
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
PROBED = [c for c in CODE_POINTS if c < 0x40000 or 0xE0000 <= c < 0xE1000 or c & 0xFFFF < 0x10 or c & 0xFFFF > 0xFFEF]
FLAGS = ["SPACE", "NUMERIC", "PUNCTUATION", "WORD", "LETTER", "NUMBER", "BERT_DROPS", "MARK_NONSPACING", "COMBINING",
         "LOWERS", "FROZEN", "NFC", "NFD", "NFKC", "NFKD"]


def split_by(pre_tokenizer, differs):
    return {c for c in PROBED if differs(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a"))}


def removed_by(expression):
    splitter = pre_tokenizers.Split(Regex(expression), "removed")
    return {c for c in PROBED if not splitter.pre_tokenize_str(chr(c))}


def changed_by(normalizer):
    found = {}
    for c in PROBED:
        text = normalizer.normalize_str("a" + chr(c))
        if text != "a" + chr(c):
            found[c] = text[1:] if text[:1] == "a" else None
    return found


def normal_forms():
    """For each form the characters that are not inert (they change, reorder, or join a character before them), and
    the frozen ones: newer than the package's tables, so it lets them pass where a newer library would not."""
    forms = {name: getattr(normalizers, name)() for name in ("NFC", "NFD", "NFKC", "NFKD")}
    changed = {name: changed_by(form) for name, form in forms.items()}
    nfd = forms["NFD"]
    # A known mark sorts behind U+0334 (class 1) or before U+0345 (class 240).
    moves = {c for c in PROBED if nfd.normalize_str("a" + chr(c) + "\u0334") != "a" + chr(c) + "\u0334"
             or nfd.normalize_str("a\u0345" + chr(c)) != "a\u0345" + chr(c)} - set(changed["NFD"])
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for c in PROBED:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and parts[0][0] != "<":
            seconds.add(int(parts[1], 16))
    frozen = {c for c in PROBED for name in forms
              if unicodedata.normalize(name, chr(c)) != forms[name].normalize_str(chr(c))}
    frozen |= {c for c in PROBED if unicodedata.combining(chr(c)) and c not in moves and c not in changed["NFD"]}
    # Unassigned here, hence perhaps decomposing in a newer library.
    frozen |= {c for c in PROBED if unicodedata.category(chr(c)) == "Cn"}
    active = {name: (set(changed[name]) | moves | (seconds if name in ("NFC", "NFKC") else set())) - frozen
              for name in forms}
    # A compatibility or canonical decomposition may begin or end with a mark; what changes at all is active already.
    return active, frozen


def lower_runs():
    """(first, last, step, delta) runs of one-to-one lower-casing."""
    singles = sorted((c, ord(text)) for c, text in changed_by(normalizers.Lowercase()).items() if len(text) == 1)
    runs = []
    for c, low in singles:
        if runs:
            first, last, step, delta = runs[-1]
            if delta == low - c and (c - last == step or (first == last and c - last <= 2)):
                runs[-1] = (first, c, c - last, delta)
                continue
        runs.append((c, c, 1, low - c))
    return runs, sorted(c for c, text in changed_by(normalizers.Lowercase()).items() if len(text) != 1)


def script_runs():
    """(first, number of the script): the numbers are our own, 0 is the one that joins anything."""
    splitter = pre_tokenizers.UnicodeScripts()
    apart = lambda a, b: len(splitter.pre_tokenize_str(a + b)) > 1
    known, runs, last = [], [], None
    for c in CODE_POINTS:
        text = chr(c)
        if c >= 0x323B0 and c not in (0xE0001, 0xE0020, 0xE0080, 0xE0100, 0xE01F0):
            continue
        if text == " ":
            number = 0
        elif last is not None and last != 0 and not apart(known[last - 1], text):
            number = last
        else:
            number = next((i + 1 for i, other in enumerate(known) if not apart(other, text)), None)
            if number is None:
                known.append(text)
                number = len(known)
        if number != last:
            runs.append((c, number))
            last = number
    return runs


def measure():
    forms, frozen = normal_forms()
    clean = changed_by(normalizers.BertNormalizer(True, False, False, False))
    accents = changed_by(normalizers.BertNormalizer(False, False, True, False))
    sets = {
        "SPACE": split_by(pre_tokenizers.WhitespaceSplit(), lambda r: len(r) > 1),
        "NUMERIC": split_by(pre_tokenizers.Digits(individual_digits=True), lambda r: len(r) > 1),
        "PUNCTUATION": split_by(pre_tokenizers.Punctuation("isolated"), lambda r: len(r) > 1),
        "WORD": split_by(pre_tokenizers.Whitespace(), lambda r: len(r) == 1),
        "LETTER": removed_by(r"\p{L}"),
        "NUMBER": removed_by(r"\p{N}"),
        "BERT_DROPS": {c for c, text in clean.items() if text == ""},
        "MARK_NONSPACING": {c for c, text in accents.items() if text == ""},
        "COMBINING": {c for c, text in changed_by(normalizers.StripAccents()).items() if text == ""},
        "LOWERS": set(changed_by(normalizers.Lowercase())),
        "FROZEN": frozen,
        "NFC": forms["NFC"], "NFD": forms["NFD"], "NFKC": forms["NFKC"], "NFKD": forms["NFKD"],
    }
    flags = {c: sum(1 << i for i, name in enumerate(FLAGS) if c in sets[name]) for c in PROBED}
    return flags


def flags_of(flags, c):
    if 0xD800 <= c < 0xE000:
        return 0
    return flags[c if c in flags else c & ~0xFFFF | 0xFFF0]


def rows(values, form="{}", per_line=32):
    for i in range(0, len(values), per_line):
        yield "    " + " ".join(form.format(v) + "," for v in values[i:i + per_line])


def main(path):
    flags = measure()
    page = 64
    kinds, blocks, index = [], [], []
    kind_of, block_of = {}, {}
    for start in range(0, 0x110000, page):
        block = []
        for c in range(start, start + page):
            value = flags_of(flags, c)
            if value not in kind_of:
                kind_of[value] = len(kinds)
                kinds.append(value)
            block.append(kind_of[value])
        block = tuple(block)
        if block not in block_of:
            block_of[block] = len(blocks)
            blocks.append(block)
        index.append(block_of[block])
    assert len(kinds) <= 256 and len(blocks) < 65536
    lower, special = lower_runs()
    assert special == [0x130]
    scripts = script_runs()
    out = [f"// Made by tools/goldens/text/make_char_tables.py from tokenizers {tokenizers.__version__}. Do not edit.",
           f"static const uint16_t char_kinds[{len(kinds)}] = {{", *rows(kinds), "};",
           f"static const uint16_t char_pages[{len(index)}] = {{", *rows(index), "};",
           f"static const uint8_t char_blocks[{len(blocks)}][{page}] = {{",
           *("    {" + ",".join(map(str, b)) + "}," for b in blocks), "};",
           "// first, last, step, delta", f"static const LowerRun lower_runs[{len(lower)}] = {{",
           *rows(["{%#x,%#x,%d,%d}" % run for run in lower], per_line=5), "};",
           "// first code point, script", f"static const ScriptRun script_runs[{len(scripts)}] = {{",
           *rows(["{%#x,%d}" % run for run in scripts], per_line=8), "};"]
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")
    print(len(kinds), "kinds,", len(blocks), "blocks,", len(lower), "lower runs,", len(scripts), "script runs")


if __name__ == "__main__":
    main(sys.argv[1])
