# exit: 6
# ONNX Runtime as an engine, with a library of ours in its place (y = x + 1): where it is found, what is wrong usage, and
# runs and benches beside hone's own engine.
fake=${HONE_FAKE_ORT:-$SOURCE/build/tests/libfake_ort.so}
unset HONE_ORT
array() { # FILE SHAPE BYTES: a .npy of that many zero bytes
    printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': $2, }" > "$1"
    head -c "$3" /dev/zero >> "$1"
}
hone() { "$HONE" "$@" --threads 1 2> err; echo "exit $? $(sed "s|$fake|FAKE|g" err)"; }
array x.npy '(2, 3)' 24
array wide.npy '(3, 2)' 24
echo 1 > one.onnx
cp "$SOURCE/fuzz/corpus/onnx/add" add.onnx
echo "run"
hone run one.onnx --engine ort --ort-library "$fake" --in x=x.npy --out out
tail -c 24 out/y.npy | od -An -tf4 -w24
rm -r out
HONE_ORT=$fake hone run one.onnx --engine ort --in 0=x.npy --out out --ort-providers openvino,tensorrt,cuda,cpu && ls out && rm -r out
hone run one.onnx --engine ort --ort-library "$fake" --in x=wide.npy --out out
hone run one.onnx --engine ort --ort-library "$fake" --out out
FAKE_ORT=old hone run one.onnx --engine ort --ort-library "$fake" --in x=x.npy --out out
hone run one.onnx --engine ort --ort-library "$fake" --in x=x.npy --out out --ort-providers gpu
hone run one.onnx --engine ort --ort-library "$fake" --in x=x.npy --out out --ort-graph-level 3
hone run one.onnx --engine tvm --in x=x.npy --out out
hone run "$SOURCE/tests/golden/engine/tiny_bart" --engine ort --in x=x.npy --out out
hone run "$SOURCE/tests/golden/engine/tiny_bart" --level 2 --in x=x.npy --out out
ls -d out 2> /dev/null
hone run add.onnx --level 3 --in x=x.npy --out out
echo "bench"
fields() { sed -e 's/"\([a-z0-9_]*\)":[^,}]*/\1/g' -e "s|$fake|FAKE|g" out; }
hone bench one.onnx --engine ort --ort-library "$fake" --runs 3 --warmup 1 --json > out; fields
hone bench add.onnx --engine hone --runs 3 --warmup 1 --json --batch 2 > out; fields
hone bench add.onnx --engine hone --level 0 --runs 3 --warmup 1 --json --batch 2 > out; sed 's/.*\("level":[0-9]*\).*/\1/' out
hone bench "$SOURCE/tests/golden/engine/tiny_bart" --level 2
hone bench add.onnx --engine ort,hone,tvm
hone bench add.onnx --engine ort,ort
hone bench add.onnx --engine ort --ort-providers cpu,cuda
hone bench add.onnx --workload none.jsonl
hone bench add.onnx --sweep batch=1,2
hone bench add.onnx "$SOURCE/tests/golden/engine/tiny_bart"
echo "generate"
tiny=$SOURCE/tests/golden/engine/tiny_bart
"$HONE" export "$tiny" -o tiny > /dev/null
models() { # COMMAND...: with a model in parts
    HONE_ORT=/nowhere/lib.so hone "$@" < /dev/null | sed 's|: /nowhere/lib.so: .*|: (why)|'
    hone "$@" --ort-library "$fake" < /dev/null | sed "s|$SOURCE|SOURCE|g"
}
models generate tiny --engine ort
models bench tiny --engine ort --no-history
echo '{"input_ids":[0,5,2],"label_ids":[0,2]}' > data.jsonl
models eval tiny data.jsonl --engine ort
hone generate "$tiny" --engine ort --ort-library "$fake" < /dev/null | sed "s|$SOURCE|SOURCE|g"
hone generate tiny --engine hone,ort < /dev/null
hone generate tiny --engine ort --kv-type f16 < /dev/null
hone generate tiny --engine ort --ort-providers gpu < /dev/null
hone bench tiny --engine ort --lookup-decoding
hone bench tiny --engine tvm
hone bench tiny --engine ort --outputs none.jsonl
FAKE_ORT=run hone bench one.onnx --engine ort --ort-library "$fake"
hone bench one.onnx --engine hone,ort --ort-library "$fake"
HONE_ORT=/nowhere/lib.so exec "$HONE" bench add.onnx --engine hone,ort
