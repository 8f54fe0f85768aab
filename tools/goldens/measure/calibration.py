# SPDX-License-Identifier: Apache-2.0
"""Writes tests/measure/golden/calibration.jsonl (rows of ids) and calibration.json: what passes into every linear of
tests/golden/model/micro over those rows, as transformers 4.57.6 computes it in double precision, seen by hooks.

    python tools/goldens/measure/calibration.py

For each row: the source through the encoder; the reference, moved by one behind the start token, through the decoder;
and what the decoder writes greedily. Moving averages are torch's, a batch being eight rows.
"""
import json
import pathlib

import torch
import transformers
from torch.ao.quantization import MovingAverageMinMaxObserver

assert transformers.__version__ == "4.57.6"
torch.set_num_threads(1)
ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "tests/measure/golden"
BATCH, STEP, NEW_TOKENS, EOS = 8, 64, 8, 2
GRAMS = ["model.encoder.layers.0.fc2.weight", "model.decoder.layers.0.self_attn.q_proj.weight"]

model = transformers.BartForConditionalGeneration.from_pretrained(ROOT / "tests/golden/model/micro").double().eval()
START = model.config.decoder_start_token_id
generator = torch.Generator().manual_seed(11)


def ids_make(low, high):
    count = int(torch.randint(low, high, (1,), generator=generator))
    return torch.randint(3, 41, (count,), generator=generator).tolist()


rows = [dict(input_ids=ids_make(18, 38), label_ids=[*ids_make(3, 16), EOS]) for _ in range(11)]
rows.append(dict(input_ids=ids_make(18, 38)))  # no reference

seen = {}  # name -> [rows of one batch]
recording = False


def hook(name):
    def see(_module, inputs, _output):
        if recording and not (".encoder_attn." in name and name.split(".")[-1] in ("k_proj", "v_proj")):
            seen.setdefault(name, []).append(inputs[0].reshape(-1, inputs[0].shape[-1]))
    return see


for name, module in model.named_modules():
    if isinstance(module, torch.nn.Linear) and name != "lm_head":
        module.register_forward_hook(hook(name))


def decode(tokens, states, record):
    global recording
    recording = record
    hidden = model.model.decoder(input_ids=torch.tensor([tokens]), encoder_hidden_states=states,
                                 use_cache=False).last_hidden_state[0]
    recording = False
    return hidden


def row_run(row):
    global recording
    recording = True
    states = model.model.encoder(input_ids=torch.tensor([row["input_ids"]])).last_hidden_state
    recording = False
    for name, _ in model.named_modules():
        if ".encoder_attn." in name and name.split(".")[-1] in ("k_proj", "v_proj"):
            seen.setdefault(name, []).append(states[0])
    labels = row.get("label_ids", [])
    if labels:
        hidden = decode([START, *labels[:-1]], states, True)
        heads = sorted({min(end, len(labels)) - 1 for end in range(STEP, len(labels) + STEP, STEP)})
        seen.setdefault("lm_head", []).append(hidden[heads])
    tokens = [START]
    while True:
        logits = model.lm_head(decode(tokens, states, False)[-1]) + model.final_logits_bias[0]
        word = int(logits.argmax())
        if word == EOS or len(tokens) == NEW_TOKENS:
            break
        tokens.append(word)
    seen.setdefault("lm_head", []).append(decode(tokens, states, True))
    return len(labels), len(tokens)


everything, observers, counts = {}, {}, [0, 0]
with torch.no_grad():
    for first in range(0, len(rows), BATCH):
        seen.clear()
        for row in rows[first:first + BATCH]:
            references, generated = row_run(row)
            counts[0] += references
            counts[1] += generated
        for name, pieces in seen.items():
            batch = torch.cat(pieces)
            observers.setdefault(name, MovingAverageMinMaxObserver(averaging_constant=0.01))(batch)
            everything.setdefault(name, []).append(batch)

inputs = []
for name, pieces in everything.items():
    x = torch.cat(pieces)
    weight = "model.shared.weight" if name == "lm_head" else f"{name}.weight"
    entry = dict(weight=weight, rows=x.shape[0], least=x.min().item(), most=x.max().item(),
                 average_least=observers[name].min_val.item(), average_most=observers[name].max_val.item(),
                 absmax=x.abs().amax(0).tolist(), sums=x.sum(0).tolist(), squares=x.square().sum(0).tolist())
    if weight in GRAMS:
        entry["gram"] = (x.T @ x).reshape(-1).tolist()
    inputs.append(entry)

(OUT / "calibration.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
(OUT / "calibration.json").write_text(json.dumps(dict(
    source_tokens=sum(len(row["input_ids"]) for row in rows), reference_tokens=counts[0], generated_tokens=counts[1],
    inputs=inputs)) + "\n")
