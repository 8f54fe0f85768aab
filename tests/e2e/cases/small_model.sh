# What commands make up themselves fits a model of 64 positions, too; what was asked for has to fit.
tiny=$SOURCE/tests/golden/engine/tiny_bart
"$HONE" explain "$tiny" --threads 1 | sed -n 's/^encode: \([0-9]*\) steps, \([0-9]*\) rows.*/\2 rows/p'
"$HONE" bench "$tiny" --threads 1 --warmup 0 --runs 1 --new-tokens 2 --json > out
sed -e 's/.*"samples":\([0-9]*\),"source_tokens":\([0-9]*\),"new_tokens":\(\[[0-9]*\]\).*/\1 samples, \2 tokens, \3/' out
"$HONE" bench "$tiny/model.safetensors" --threads 1 --warmup 0 --runs 1 --new-tokens 2 > /dev/null
"$HONE" explain "$tiny" --threads 1 --source-tokens 65 2> err
echo "exit $? $(cat err)"
