# What prune refuses, and that it leaves nothing behind.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
try() { "$HONE" prune "$@" > /dev/null 2> err; echo "exit $? $(sed 's,[.][0-9]*[.]part,.PID.part,' err)"; }
try "$model" --method ffn --amount 0.5
try "$model" -o out
try "$model" -o out --method ffn
try "$model" -o out --method vocabulary --amount 0.5
try "$model" -o out --method ffn --amount 1.5
try "$model" -o out --method ffn --amount 100000
try "$model" -o out --method heads --amount 0.5
try "$model" -o out --method layers --amount 1.0
try "$model" -o out --method ffn --amount 0.5 --global
try "$model" -o out --method ln-structured --amount 0.5 --n 0
try "$model" -o out --method ln-structured --amount 0.5 --n two
try "$model" -o out --method ln-structured --amount 0.5 --dim 2
try "$model" -o out --method l1-unstructured --amount 0.5 --pattern 2:4
try "$model" -o out --method l1-unstructured --pattern 4:8
try "$model" -o out --method layers --amount 1 --mode ragged
try "$model" -o out --method ffn --amount 0.5 --store bitmap
try "$model" -o out --method ffn --amount 0.5 --only 'decoder.layers.0.*'
try "$model" -o out --method ffn --amount 0.5 --only '*.fc3'
try "$model" -o out --method ffn --amount 0.5 --only 're:('
try "$model" -o out --method layers --amount 1 --data nothing.jsonl
try "$model" -o out --method ffn --amount 0.5 --data nothing.jsonl
try "$model" -o out --method ffn --amount 0.5 --data-samples 9
try nowhere -o out --method ffn --amount 0.5
mkdir theirs && echo precious > theirs/file
try "$model" -o theirs --method ffn --amount 0.5
ls
(ulimit -f 1000; trap '' XFSZ; try "$model" -o out --method ffn --amount 0.1)
ls
