# verify tells recipe, runtime and evidence of a hone.json, and whether the evidence is of these weights.
# needs: demo/model/model.safetensors
"$HONE" quantize "$SOURCE/demo/model" -o out --scheme int8 --quiet > table
"$HONE" verify out | sed -n 2,4p
cp out/hone.json plain
sha256=$(sed -n 's/.*"model.safetensors", .*"sha256": "\([0-9a-f]*\)".*/\1/p' plain | tail -n 1)
# put EVIDENCE: has out/hone.json hold it, and settings for running.
put() { sed "s|^  \"source\"|  \"runtime\": {\"kv_type\": \"int8\"}, \"evidence\": $1,\n&|" plain > out/hone.json; }
choice='"budget": 0.01, "answer": {"met": true, "recipe_text": "int8; ffn -30 %"}'
data='"data": {"rows": 900, "split": [{"name": "tuning", "rows": 128}, {"name": "final", "rows": 500}]}'
rows='"rows": [{"chosen": true, "loss": {"mean": {"relative": 0.0042, "low": -0.001, "high": 0.0091}}}]'
put "{$choice, $data, $rows, \"weights_sha256\": \"$sha256\"}"
"$HONE" verify out | sed -n 2,4p
"$HONE" verify out --json | sed "s/.*\(\"recipe\":.*\)/\1/; s/$sha256/HASH/"
put "{$choice, \"weights_sha256\": \"$(echo "$sha256" | sed 's/^......../01234567/')\"}"
"$HONE" verify out 2>&1 > told | sed 's/is [0-9a-f]*\.\.\.$/is HASH/; s/01234567[0-9a-f]*/01234567HASH/'; sed -n 5p told
put '{"budget": "one percent"}'
"$HONE" verify out 2>&1 > told; echo "exit $?"; sed -n 3,5p told
