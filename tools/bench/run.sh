#!/bin/sh
# Measures build/hone. `./dev bench` runs everything; `./dev bench WORD ...` one part, with its own options (--help tells them):
#   bars       against PyTorch and CTranslate2 on the same work, with the bars
#   sweeps     how cost grows with source, output, batch, beams, vocabulary and threads
#   waterfall  from PyTorch's time to hone's, lever by lever
#   recipe     4 bits, a trimmed vocabulary and the exact levers against PyTorch
#   tokenizer  against the PyPI package tokenizers
#   serving    hone serve under load, against CTranslate2's asynchronous batching
#   losses     what every row of optimize's table loses on a test set
#   page       docs/performance.md from what was stored
# `./dev bench --against REV` tells whether the working tree got slower than a revision. Run it alone on the machine.
set -eu
cd "$(dirname "$0")/../.."
case ${1:-} in
--against) shift; exec python3 tools/bench/against.py "$@" ;;
page) shift; exec python3 tools/bench/page.py "$@" ;;
losses) shift; exec python3 tools/bench/losses.py "$@" ;;
esac
[ -d ../shared/bench ] || { echo "bench: skipped: ../shared/bench is not here" >&2; exit 0; }
python=$(sh tools/oracle.sh ctranslate2==4.8.5)
case ${1:-} in
bars | sweeps | waterfall | recipe | tokenizer | serving) part=$1; shift; exec "$python" "tools/bench/$part.py" "$@" ;;
'') for part in bars sweeps waterfall recipe tokenizer serving; do "$python" "tools/bench/$part.py"; done
    echo "bench: now './dev bench page' writes docs/performance.md" >&2 ;;
*) sed -n '2,11s/^# //p' "$0" >&2; exit 2 ;;
esac
