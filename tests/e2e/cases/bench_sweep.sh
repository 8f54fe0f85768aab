# One line a point and model; sources take the length asked for; the picture has a point for each.
tiny=$SOURCE/tests/golden/engine/tiny_bart
bench() { "$HONE" bench "$tiny" "$tiny" --threads 1 --warmup 0 --runs 1 --samples 4 --new-tokens 2 --no-history --json "$@"; }
fields() { sed 's/.*"batch":\([0-9]*\),"beams":\([0-9]*\),.*"source_tokens":\([0-9]*\),.*"sweep":"\(.*\)","value":\([0-9]*\).*/batch \1, beams \2, \3 tokens, \4 \5/'; }
bench --sweep source-tokens=8,16..60 --svg s.svg | fields
grep -c '<title>' s.svg; grep -o 'class="mark c[0-9]' s.svg | sort | uniq -c
bench --sweep batch=1..3 --source-tokens 5 | fields
bench --sweep beams=2 --source-tokens 5 | fields
for n in 5 9 30 7; do seq -s , 4 $((n + 3)) | sed 's/.*/{"input_ids":[&]}/'; done > work.jsonl
filled() { "$HONE" bench "$tiny" --workload work.jsonl --warmup 0 --runs 1 --new-tokens 1 --no-history --json "$@" | sed 's/.*"source_tokens":\([0-9]*\),.*/\1 tokens/'; }
filled --batch 4; filled --batch 4 --fill; filled --batch 2 --fill; filled --batch 1 --fill
for bad in depth=1 batch batch= batch=0 batch=1,,2 batch=1..x batch=5000 threads=1-2; do bench --sweep $bad 2>&1; echo "exit $?"; done
bench --svg s.svg 2>&1; echo "exit $?"
