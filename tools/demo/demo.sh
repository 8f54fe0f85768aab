#!/bin/sh
# The demonstration: a trained dialogue summarizer out of its PyTorch-style files, made INT8, and both compared on size, memory,
# speed and ROUGE over the demo's test set. Needs build/hone; leaves nothing behind. Called by ./dev demo.
set -eu
cd "$(dirname "$0")/../.."
hone=build/hone
model=demo/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
int8=$work/model-int8

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "A dialogue"
cat demo/dialogue.txt

say "Its summary by the FP32 model ($model)"
$hone summarize $model demo/dialogue.txt

say "The same model with INT8 weights and activations"
$hone quantize $model -o "$int8" --scheme int8
$hone verify "$int8"

say "Its summary by the INT8 model"
$hone summarize "$int8" demo/dialogue.txt

say "Both over the test set ($(wc -l < demo/test.jsonl) dialogues), and in turns over 100 runs each"
$hone eval "$int8" demo/test.jsonl --baseline $model --json > "$work/eval.json"
awk -f tools/demo/workload.awk demo/test.jsonl | $hone tokenize $model > "$work/tokens.jsonl"
sed 's/^{"ids":/{"input_ids":/; s/,"tokens":.*/}/' "$work/tokens.jsonl" > "$work/workload.jsonl"
$hone bench $model "$int8" --workload "$work/workload.jsonl" --samples 50 --warmup 10 --runs 100 --json > "$work/bench.jsonl"
awk -f tools/demo/table.awk "$work/bench.jsonl" "$work/eval.json"

say "Next: hone help, README.md, or your own model: build/hone inspect FOLDER"
