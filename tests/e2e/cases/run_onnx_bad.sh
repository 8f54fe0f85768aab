# exit: 6
# ONNX models that are broken or beyond what is read, and inputs that do not fit: a sentence, and no output.
seeds=$SOURCE/fuzz/corpus/onnx
# array FILE TYPE SHAPE BYTES: a .npy of that many zero bytes.
array() {
    printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $3, }" > "$1"
    head -c "$4" /dev/zero >> "$1"
}
run() { "$HONE" run "$@" --threads 1 --out out 2> err; echo "exit $? $(cat err)"; }
array x.npy '<f4' '(3, 2)' 24
array wide.npy '<f4' '(3, 4)' 48
array flat.npy '<f4' '(6,)' 24
array double.npy '<f8' '(3, 2)' 48
run "$seeds/add" --in x=x.npy && ls out && rm -r out
run "$seeds/add" --in 0=x.npy && rm -r out
run "$seeds/add"
run "$seeds/if" --in x=x.npy
run "$seeds/add" --in z=x.npy
run "$seeds/add" --in 1=x.npy
run "$seeds/add" --in x=wide.npy
run "$seeds/add" --in x=flat.npy
run "$seeds/add" --in x=double.npy
run "$seeds/add" --in x=missing.npy
head -c 60 "$seeds/add" > cut && run cut --in x=x.npy
: > empty.onnx && run empty.onnx --in x=x.npy
echo nonsense > nonsense.onnx && run nonsense.onnx
cp "$seeds/external" outside.onnx && run outside.onnx --in x=x.npy
head -c 8 /dev/zero > w.bin && run outside.onnx --in x=x.npy
rm w.bin && mkfifo w.bin && run outside.onnx --in x=x.npy
sed 's/Add/Adx/' "$seeds/add" > unknown.onnx && run unknown.onnx --in x=x.npy
ls -d out
exec "$HONE" run unknown.onnx --in x=x.npy --out out
