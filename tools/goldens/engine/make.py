# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/engine/*.json: what transformers 4.57.6 makes of the table model, option by option.

    python tools/goldens/engine/make.py

cases.json  ids, scores and finish of greedy and beam search for combinations of options
rows.json   rows of scores before and after the logits processors and warpers
draws.json  how often sampled beam search ended in each sequence
Cases where two candidates lie closer than 2e-6 at a choice are left out: the order of equals is not defined.
"""
import json
import pathlib
import random
from collections import Counter

import torch
import transformers

from table_model import BOS, EOS, PAD, VOCABULARY, table_model

assert transformers.__version__ == "4.57.6"
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
OUT = pathlib.Path(__file__).resolve().parents[3] / "tests" / "golden" / "engine"
MODEL = table_model()


class CloseCalls:
    """Counts choices by torch.topk that another rounding could change: values closer than `gap`."""

    def __init__(self, gap):
        self.gap, self.count, self.real = gap, 0, torch.topk

    def __call__(self, values, k, **kwargs):
        best = self.real(values, min(k + 1, values.shape[-1])).values.double()
        gaps = best[..., :-1] - best[..., 1:]
        self.count += int(((gaps < self.gap) & (best[..., 1:] > -1e8)).sum())
        return self.real(values, k, **kwargs)

    def __enter__(self):
        torch.topk = self
        return self

    def __exit__(self, *_):
        torch.topk = self.real


def finish_of(ids, options, config):
    eos = options.get("eos_token_id", EOS)
    eos = eos if isinstance(eos, list) else [eos]
    most = options.get("max_new_tokens", options.get("max_length", 21) - 1)
    forced = len(ids) == most and options.get("forced_eos_token_id", config.forced_eos_token_id) is not None
    return "stop" if ids and ids[-1] in eos and not forced else "length"


def generate(model, source, options, gap=2e-6):
    """The sequences of one case, or None when it is a close call."""
    with CloseCalls(gap) as close, torch.no_grad():
        out = model.generate(torch.tensor([source]), return_dict_in_generate=True, output_scores=True, **options)
        if options.get("num_beams", 1) == 1:
            for scores in out.scores:
                torch.topk(scores, 1)
    if close.count:
        return None
    sequences = []
    if options.get("num_beams", 1) > 1:
        for row, score, beams in zip(out.sequences, out.sequences_scores, out.beam_indices):
            ids = row[1:1 + int((beams >= 0).sum())].tolist()
            sequences.append((ids, float(score)))
    else:
        scores = model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        sequences.append((out.sequences[0, 1:].tolist(), float(scores[0].double().sum())))
    return [{"ids": ids, "score": score, "finish": finish_of(ids, options, model.generation_config)}
            for ids, score in sequences]


def draw_options(rng):
    """Options as users combine them: a few at a time."""
    options = {}
    beams = rng.choice([1, 1, 2, 3, 4, 5])
    if beams > 1:
        options["num_beams"] = beams
        if rng.random() < 0.7:
            options["length_penalty"] = rng.choice([-1.0, 0.0, 0.5, 2.0, 1.0])
        if rng.random() < 0.7:
            options["early_stopping"] = rng.choice([True, False, "never"])
        if rng.random() < 0.3:
            options["num_return_sequences"] = rng.randint(2, beams)
    length = rng.choice(["none", "new", "new", "length"])
    if length == "new":
        options["max_new_tokens"] = rng.choice([3, 8, 16, 30])
    elif length == "length":
        options["max_length"] = rng.choice([5, 9, 20, 33])
    chances = {
        "min_new_tokens": lambda: rng.choice([0, 2, 6]),
        "min_length": lambda: rng.choice([3, 8]),
        "no_repeat_ngram_size": lambda: rng.choice([1, 2, 2, 3]),
        "encoder_no_repeat_ngram_size": lambda: rng.choice([1, 2, 3]),
        "repetition_penalty": lambda: rng.choice([0.8, 1.2, 2.0]),
        "forced_bos_token_id": lambda: rng.choice([BOS, 11]),
        "forced_eos_token_id": lambda: EOS,
        "bad_words_ids": lambda: [[rng.randrange(3, VOCABULARY) for _ in range(rng.choice([1, 1, 2]))]
                                  for _ in range(rng.choice([1, 6, 24]))] + rng.choice([[], [[EOS]], [[EOS, 7]]]),
        "eos_token_id": lambda: rng.choice([[EOS, 5], [EOS, 9, 13], 17]),
    }
    for name, value in chances.items():
        if rng.random() < 0.22:
            options[name] = value()
    return options


def draw_source(rng):
    source = [BOS] + [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, 14))] + [EOS]
    if rng.random() < 0.15:
        source += [PAD] * rng.randint(1, 3)
    if rng.random() < 0.1:
        source.insert(1, PAD)
    return source


def make_cases(model, count, gap=2e-6):
    rng = random.Random(20)
    cases, dropped = [], 0
    while len(cases) < count:
        case = {"source": draw_source(rng), "options": draw_options(rng)}
        sequences = generate(model, case["source"], case["options"], gap)
        if sequences is None:
            dropped += 1
            continue
        cases.append(case | {"sequences": sequences})
    print(f"{count} cases, {dropped} close calls left out")
    return cases


def make_rows(count):
    """Processors and warpers on rows of their own, in generate()'s order."""
    rng = random.Random(21)
    rows = []
    while len(rows) < count:
        options = draw_options(rng)
        options.pop("early_stopping", None)
        options["do_sample"] = True
        options["temperature"] = rng.choice([1.0, 0.5, 1.7])
        options["top_k"] = rng.choice([0, 1, 5, 20, 100])
        options["top_p"] = rng.choice([1.0, 0.9, 0.5, 0.05, 0.0])
        source = draw_source(rng)
        history = [EOS] + [rng.randrange(3, 12) for _ in range(rng.randint(0, 9))]
        scores = [rng.randrange(-4096, 4096) / 1024 for _ in range(VOCABULARY)]
        if rng.random() < 0.3:
            scores = [rng.choice(scores[:6]) for _ in scores]  # many equal ones
            options["top_p"] = 1.0  # which of equal ones it keeps is not defined
        config, _ = MODEL._prepare_generation_config(None, **options)
        MODEL._prepare_special_tokens(config)
        config = MODEL._prepare_generated_length(config, "max_length" not in options, True, "input_ids", 1, None)
        processors = MODEL._get_logits_processor(config, 1, torch.tensor([source]), device="cpu")
        after = processors(torch.tensor([history]), torch.tensor([scores]))[0].tolist()
        rows.append({"source": source, "options": options, "history": history, "scores": scores,
                     "after": [None if value == float("-inf") else value for value in after]})
    return rows


def make_draws(runs):
    """Sampled beam search has no closed form: counts of the best sequence over many runs."""
    torch.manual_seed(5)
    cases = []
    for options in ({"num_beams": 2, "max_new_tokens": 2, "top_k": 4},
                    {"num_beams": 3, "max_new_tokens": 2, "top_k": 0, "top_p": 0.5, "temperature": 0.7},
                    {"num_beams": 2, "max_new_tokens": 3, "top_k": 3, "eos_token_id": [EOS, 5], "length_penalty": 2.0}):
        options = options | {"do_sample": True}
        source = [BOS, 21, 33, 8, EOS]
        counts = Counter()
        for _ in range(runs // 500):
            out = MODEL.generate(torch.tensor([source] * 500), return_dict_in_generate=True, output_scores=True,
                                 **options)
            for row, beams in zip(out.sequences, out.beam_indices):
                counts[tuple(row[1:1 + int((beams >= 0).sum())].tolist())] += 1
        cases.append({"source": source, "options": options, "runs": sum(counts.values()),
                      "counts": [{"ids": list(ids), "count": n} for ids, n in counts.most_common()]})
    return cases


def write(path, values):
    text = ",\n".join(json.dumps(value, separators=(",", ":")) for value in values)
    path.write_text("[\n" + text + "\n]\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write(OUT / "rows.json", make_rows(120))
    write(OUT / "cases.json", make_cases(MODEL, 400))
    write(OUT / "draws.json", make_draws(20000))
