# A model loses neurons, heads and layers, is verified, runs, and tells what it is made of.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
echo '"Anna: Lunch at one? Ben: Yes, at the Blue Cafe."' > line
"$HONE" prune "$model" -o ffn --method ffn --amount 0.5 | sed 's/[0-9.]* MB/N MB/g; s/reduction .*/reduction N/'
"$HONE" prune "$model" -o heads --method heads --amount 0.25 --mode ragged --json | grep -o '"loaders":.*'
"$HONE" prune "$model" -o layers --method layers --amount 1 --only 'decoder.*' --json | grep -o '"unit".*"layers":\[[^]]*'
"$HONE" prune "$model" -o mask --method l1-unstructured --amount 0.5 --global | tail -1
"$HONE" prune "$model" -o fours --method l1-unstructured --pattern 2:4 | grep '^all' | tr -s ' '
"$HONE" prune "$model" -o bitmap --method ln-structured --n inf --dim 1 --amount 0.5 --store bitmap | tail -1
for out in ffn heads layers mask fours bitmap; do
    "$HONE" verify "$out" > told || exit 9
    grep '^transformers  ' told | sed "s/^transformers */$out: /"
    "$HONE" generate "$out" --max-new-tokens 4 < line | grep -c '"finish":"length"'
done
"$HONE" inspect heads --json | grep -o '"shapes":{"encoder":\[{"heads":[0-9]*,"ffn"' | sed 's/[0-9][0-9]*/N/'
"$HONE" quantize heads -o both --scheme int8 --json | grep -o '"loaders":.*'
"$HONE" generate both --max-new-tokens 4 < line | grep -c '"finish":"length"'
sed 's/"heads": [0-9]*/"heads": 99/' heads/hone.json > changed && cp changed heads/hone.json
"$HONE" inspect heads 2> err
echo "exit $? $(sed 's/is 99.*/is 99/' err)"
