#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the demo's dialogues: one JSON object a line, fields `id dialogue summary facts`.

    make_dialogues.py dev  --rows 500 > demo/dev.jsonl
    make_dialogues.py test --rows 500 > demo/test.jsonl
    make_dialogues.py train --rows 150000 > train.jsonl

Row i of a split depends on (seed, split, i) alone, so any number of rows starts with the same ones. A dialogue of dev
or test never appears in train, nor one of dev in test. `facts` are the values of the dialogue that its summary holds.
"""

import argparse
import json
import sys

from more_scenes import FRIEND_SCENES
from scenes import COUNTER_SCENES
from talk import Dice, Talk

SCENES = COUNTER_SCENES + FRIEND_SCENES
HELD_OUT = ("test", "dev")
HELD_OUT_ROWS = 1000
SEED = 20


def make_row(seed, split, index, attempt=0):
    dice = Dice(f"{seed}/{split}/{index}/{attempt}")
    talk = Talk(dice)
    scene = dice.pick(SCENES)
    scene(talk)
    summary = talk.ret_summary
    return {"id": f"{split}-{index}", "dialogue": talk.dialogue(), "summary": summary, "facts": talk.facts}


def make_rows(split, rows, seed=SEED):
    """The first `rows` rows of a split, without any dialogue of the splits before it."""
    seen = set()
    for held_out in HELD_OUT[: HELD_OUT.index(split)] if split in HELD_OUT else HELD_OUT:
        seen.update(row["dialogue"] for row in make_rows(held_out, HELD_OUT_ROWS, seed))
    for index in range(rows):
        attempt = 0
        row = make_row(seed, split, index)
        while row["dialogue"] in seen:
            attempt += 1
            row = make_row(seed, split, index, attempt)
        seen.add(row["dialogue"])
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", help="dev, test, train, or any other name")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    for row in make_rows(args.split, args.rows, args.seed):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
