# A workload of texts is what their ids are, to each model its own: a trimmed vocabulary has others, and the same lengths.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model tiny=$SOURCE/tests/golden/engine/tiny_bart
head -n 5 "$SOURCE/demo/dev.jsonl" > texts
awk -f "$SOURCE/tools/demo/workload.awk" texts | "$HONE" tokenize "$model" | sed 's/^{"ids":/{"input_ids":/; s/,"tokens":.*/}/' > ids
"$HONE" prune "$model" -o trimmed --method vocab --data texts --no-measure > /dev/null
measure() { "$HONE" bench "$@" --batch 2 --warmup 0 --runs 1 --new-tokens 4 --no-history --json; }
measure "$model" trimmed --workload texts > by-texts || exit 9
measure "$model" --workload ids > by-ids || exit 9
sed 's/.*\("model":"[a-z]*"\).*\("samples":[0-9]*,"source_tokens":[0-9]*\).*\("vocabulary":[0-9]*\).*/\1,\2,\3/' by-texts
digest() { sed 's/.*\("digest":"[^"]*"\).*/\1/' "$1"; }
digest by-texts | head -n 1 > a; digest by-ids > b; cmp a b && echo same as by ids
digest by-texts | uniq | wc -l
measure "$tiny" --workload texts 2> err
echo "exit $? $(cat err)"
