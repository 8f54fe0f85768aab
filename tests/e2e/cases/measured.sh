# What is written is measured against what it was made from, and before that the data is looked at.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model tiny=$SOURCE/tests/golden/engine/tiny_bart
head -n 6 "$SOURCE/demo/dev.jsonl" > rows
head -n 9 "$SOURCE/demo/test.jsonl" > others
# Figures differ from machine to machine, and so does whether it is faster.
figures() { sed -E 's/^.*(faster|no optimization).*$/VERDICT/; s/-?[0-9]+\.[0-9]+/N/g; s/ +/ /g'; }
"$HONE" quantize "$model" -o int8 --scheme int8 --data rows --threads 1 | figures
# Losses are those of hone eval.
"$HONE" quantize "$model" -o nf4 --scheme nf4 --data others --data-samples 7 --json > answer
"$HONE" eval nf4 others --limit 7 --baseline "$model" --types rouge1,rouge2,rougeL --json > evaluated
loss() { sed 's/.*"loss":{//; s/},"mean":{.*/}/; s/}}}*$/}/' "$1"; }
loss answer > a; loss evaluated > b; cmp a b && grep -c '"rouge1":{"relative":[-0-9.]*,"low":' a
grep -o '"measured":{[^}]*}' answer | sed 's/"threads":[0-9]*/"threads":N/'
grep -o '"[A-Za-z_0-9]*":' answer | sed '1,/loaders/d' | tr -d '\n' | sed 's/"note"://'
echo
# Masks are the same with data; data that decides is told of.
"$HONE" prune "$model" -o mask --method l1-unstructured --amount 0.1 > /dev/null
"$HONE" prune "$model" -o again --method l1-unstructured --amount 0.1 --data rows --json | grep -o '"decided_on[^,}]*'
cmp mask/hone.json again/hone.json
"$HONE" prune "$model" -o scored --method heads --mode ragged --amount 0.25 --data rows | sed -n '/^measured/s/, [0-9]* thread.*//p; $p'
grep -o '"data": "[^,}]*' scored/hone.json
"$HONE" prune "$model" -o vocab --method vocab --data rows --held-out others --generate --json | grep -o '"data":"others.*"decided_on[^,}]*' | sed 's/"threads":[0-9]*/"threads":N/'
# Ids and labels; those of another vocabulary mean nothing.
printf '{"input_ids":[0,5,6,2],"label_ids":[2]}\n{"input_ids":[0,7,2],"label_ids":[8,2]}\n' > ids
"$HONE" quantize "$tiny" -o half --scheme fp16 --data ids --threads 1 | sed 1,5d | figures
"$HONE" prune "$model" -o by-ids --method vocab --data ids | tail -n 1
# Rows that only choose.
sed 's/"summary"/"other"/' others > texts
for method in heads vocab; do
    "$HONE" prune "$model" -o "bare-$method" --method $method --data texts --no-measure $([ $method = vocab ] || echo --amount 1 --mode ragged) > out && grep -c measured out
done
mkdir refused && cd refused || exit 9
try() { "$HONE" "$@" > /dev/null 2> err; echo "exit $? $(cat err)"; rm err; }
try quantize "$model" -o out --scheme int8 --data ../texts
try prune "$model" -o out --method l1-unstructured --amount 0.1 --data ../texts
try prune "$model" -o out --method ffn --amount 0.1 --data ../texts
try prune "$model" -o out --method vocab --data ../rows --held-out ../texts
try quantize "$model" -o out --scheme int8 --data nothing
try quantize "$model" -o out --scheme int8 --data-samples 3
try quantize "$tiny" -o out --scheme fp16 --data ../rows
echo '{"input_ids":[0,500,2],"label_ids":[2]}' > ../strange
try quantize "$tiny" -o out --scheme fp16 --data ../strange
try prune "$model" -o out --method layers --amount 1 --data ../rows --no-measure
try prune "$model" -o out --method ffn --amount 0.1 --no-measure
try prune "$model" -o out --method vocab --data ../rows --no-measure --data-samples 3
ls
