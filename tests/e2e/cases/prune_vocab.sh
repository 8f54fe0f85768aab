# A vocabulary trimmed to the demo's data: what is cut, that texts and outputs stay, and what is refused.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
head -n 60 "$SOURCE/demo/dev.jsonl" > data
head -n 8 "$SOURCE/demo/test.jsonl" > others
"$HONE" prune "$model" -o small --method vocab --data data --held-out others --no-measure
"$HONE" prune "$model" -o again --method vocab --data data --held-out others --no-measure --json | grep -o '"units":.*"held_out":{[^}]*}'
for file in config.json generation_config.json hone.json model.safetensors tokenizer.json; do cmp small/$file again/$file || exit 9; done
"$HONE" verify small | cut -c 1-40
grep vocab_size small/config.json
sed 's/^.*"dialogue": \("[^"]*"\).*$/\1/' data | head -n 12 > lines
"$HONE" prune "$model" -o own --method vocab --data data --generate --no-measure | grep -o '[0-9]* of them the model.s own'
for folder in "$model" own; do
    "$HONE" tokenize "$folder" < lines | sed 's/.*"tokens"://' > "tokens-$(basename "$folder")"
    "$HONE" generate "$folder" --num-beams 1 --max-new-tokens 20 < lines | sed 's/.*"text":\("[^"]*"\).*"finish"/\1/' \
        > "texts-$(basename "$folder")"
done
cmp tokens-model tokens-own && wc -l < tokens-own
diff texts-model texts-own > /dev/null && echo same texts
"$HONE" prune "$model" -o half --method vocab --data data --amount 0.9 --no-measure | sed -n 's/ tokens stay.*//p'
try() { "$HONE" prune "$@" > /dev/null 2> err; echo "exit $? $(cat err)"; }
try "$model" -o out --method vocab
try "$model" -o out --method vocab --data data --amount 0.99
try "$model" -o out --method vocab --data data --mode ragged --amount 0.5
try "$model" -o out --method ffn --held-out data --amount 0.5
try "$model" -o out --method vocab --data nothing
"$HONE" quantize "$model" -o int8 --scheme int8 > /dev/null
try int8 -o out --method vocab --data data
"$HONE" quantize small -o small8 --scheme int8 > /dev/null && "$HONE" generate small8 --max-new-tokens 4 < lines | wc -l
mkdir spm && cp small/config.json small/model.safetensors spm && printf x > spm/spiece.model
try spm -o out --method vocab --data data
ls
