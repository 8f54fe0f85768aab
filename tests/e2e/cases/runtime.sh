# A model whose hone.json says how to run it runs so where the command line says nothing else; --plain-runtime does not.
demo=$SOURCE/demo/model
head -n 3 "$SOURCE/demo/test.jsonl" | sed 's/.*"dialogue": *\("[^"]*\(\\"[^"]*\)*"\).*/{"text":\1}/' > lines
run() { "$HONE" generate "$@" --threads 2 --num-beams 1 < lines; }
"$HONE" quantize "$demo" --scheme int8 --quiet -o advised > table && cp -r advised plain
sed -i 's/^  "source"/  "runtime": {"kv_type": "int8", "lm_head_screen": true, "lookup_decoding": true, "later": 1},\n&/' \
    advised/hone.json
run plain > f32; run plain --kv-type int8 > int8
cmp -s f32 int8 || echo "int8 K/V differ from f32 in something"
run advised > out 2> err; cmp out int8 && sed -E 's/[0-9.]+/N/g' err
run advised --plain-runtime 2>&1 | cmp - f32
run advised --kv-type f32 --quiet | cmp - f32
"$HONE" generate plain --num-beams 2 --kv-type int8 < lines > out
"$HONE" generate advised --num-beams 2 < lines 2>&1 | cmp - out # no word of the levers
"$HONE" generate advised --num-beams 2 --lookup-decoding < lines 2>&1
"$HONE" summarize advised --threads 2 < lines > out && "$HONE" summarize plain --kv-type int8 --threads 2 < lines | cmp - out
for options in "" --plain-runtime "--kv-type f16"; do
    # shellcheck disable=SC2086 # a list of words
    "$HONE" bench advised --warmup 0 --runs 1 --samples 1 --new-tokens 2 --num-beams 1 --no-history --json $options |
        sed -E 's/.*("kv_type":"[a-z0-9]*").*"vocabulary":[0-9]*/\1/; s/:[0-9.]+/:N/g'
done
"$HONE" inspect advised | grep runtime; "$HONE" inspect plain | grep runtime
"$HONE" inspect advised --json | sed 's/.*\("runtime":{[^}]*}\).*/\1/'
"$HONE" explain advised --steps 1 | sed -n 's/^\(K\/V: [a-z0-9]*\).*/\1/p; /recommends/p'
"$HONE" explain advised --steps 1 --plain-runtime | sed -n 's/^\(K\/V: [a-z0-9]*\).*/\1/p; /recommends/p'
"$HONE" explain advised --steps 1 --json | tail -n 1 | sed 's/"kv_token_kb.*_mb":[^,]*,//'
"$HONE" verify advised > out && head -n 1 out
"$HONE" quantize advised --scheme int8 --quiet -o again > table && grep -c runtime again/hone.json
sed 's/"kv_type": "int8"/"kv_type": "int4"/' advised/hone.json > again/hone.json
"$HONE" generate again < lines 2>&1; echo "exit $?"
"$HONE" run again --out out.d 2>&1; echo "exit $?"
