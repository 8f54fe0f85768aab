#!/bin/sh
# The demonstration: a trained dialogue summarizer out of its PyTorch-style files, and the search for its fastest version that
# loses at most 1 % of ROUGE: what was tried, the table of what was measured, and a page with the evidence. Needs
# build/hone; leaves build/demo behind. Called by ./dev demo.
set -eu
cd "$(dirname "$0")/../.."
hone=build/hone
model=demo/model
out=build/demo
mkdir -p "$out"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "A dialogue"
cat demo/dialogue.txt

say "Its summary by the model as it was trained ($model, FP32)"
$hone summarize $model demo/dialogue.txt

say "The search: the fastest version that loses at most 1 % of ROUGE, on $(wc -l < demo/dev.jsonl) dialogues of its development set"
$hone optimize $model -o "$out/model" --data demo/dev.jsonl --max-loss 0.01 --for latency --time-limit 100s \
    --cache "$out/evaluations" --report "$out/report.html"

say "What it wrote, read back"
$hone verify "$out/model"

say "The summary by the version that was found"
$hone summarize "$out/model" demo/dialogue.txt

say "On the test set, which the search has not seen ($(wc -l < demo/test.jsonl) dialogues)"
$hone eval "$out/model" demo/test.jsonl --baseline $model

say "The evidence as a page: $out/report.html"
echo "Next: hone help, README.md, or your own model: build/hone inspect FOLDER"
