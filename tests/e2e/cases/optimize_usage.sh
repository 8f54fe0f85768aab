# What optimize refuses before it spends a minute, and that it leaves nothing behind.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model data=$SOURCE/demo/dev.jsonl
try() { "$HONE" optimize "$@" --quiet > /dev/null 2> err; echo "exit $? $(cat err)"; }
try "$model"
try "$model" -o out
try "$model" -o out --data "$data" --for speed
try "$model" -o out --data "$data" --time-limit soon
try "$model" -o out --data "$data" --max-loss 2
try "$model" -o out --data none.jsonl
head -n 3 "$data" > few.jsonl
try "$model" -o out --data few.jsonl
sed 's/"summary"/"gist"/' "$data" | head -n 20 > bare.jsonl
try "$model" -o out --data bare.jsonl
echo '{"text": "Hello.", "summary": "Hi."}' > short
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat short; done > short.jsonl
try "$model" -o out --data short.jsonl
try "$model" -o out --data "$data" --report none/page.html
mkdir taken && touch taken/file
try "$model" -o taken --data "$data"
"$HONE" quantize "$model" -o int8 --scheme int8 > /dev/null
try int8 -o out --data "$data"
ls
