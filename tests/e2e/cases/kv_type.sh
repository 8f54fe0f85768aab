# Keys and values kept as f32, f16 or int8: every command that runs a model takes the option, explain tells bytes.
tiny=$SOURCE/tests/golden/engine/tiny_bart
for type in f32 f16 int8; do
    "$HONE" explain "$tiny" --threads 1 --steps 1 --kv-type "$type" | sed -n 's/^\(K\/V: .* layers\).*/\1/p'
    echo '{"input_ids": [0, 5, 17, 40, 8, 2], "max_new_tokens": 4}' |
        "$HONE" generate "$tiny" --threads 1 --quiet --kv-type "$type" > out && grep -c '"ids":\[' out
done
"$HONE" bench "$tiny" --threads 1 --warmup 0 --runs 1 --new-tokens 2 --kv-type int8 --json |
    sed 's/.*\("kv_type":"[a-z0-9]*"\).*/\1/'
"$HONE" generate "$tiny" --kv-type int4 < /dev/null 2> err
echo "exit $? $(cat err)"
