# exit: 3
# Tensors from files: names and positions, ids the model does not know, wrong shapes and files.
tiny=$SOURCE/tests/golden/engine/tiny_bart
# array FILE SHAPE BYTES...: an i64 .npy of these bytes, each the low byte of an element.
array() {
    file=$1 shape=$2; shift 2
    printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '<i8', 'fortran_order': False, 'shape': $shape, }" > "$file"
    for byte; do printf "\\$byte\0\0\0\0\0\0\0" >> "$file"; done
}
forward() { "$HONE" run "$tiny" --threads 1 "$@" --out out 2> err; echo "exit $? $(cat err)"; }
array source.npy '(1, 4)' 000 005 006 002
array mask.npy '(1, 4)' 001 000 001 001
array target.npy '(1, 2)' 002 000
array strange.npy '(1, 4)' 000 005 226 002
array short.npy '(1, 4)' 000 005
array nothing.npy '(1, 4)' 000 000 000 000
forward --in input_ids=source.npy --in decoder_input_ids=target.npy
mv out named && forward --in 0=source.npy --in 2=target.npy && cmp named/logits.npy out/logits.npy
forward --in 0=source.npy --in 1=mask.npy --in 2=target.npy
ls out && rm -r out
forward --in input_ids=strange.npy --in decoder_input_ids=target.npy
forward --in input_ids=source.npy --in decoder_input_ids=strange.npy
forward --in input_ids=short.npy --in decoder_input_ids=target.npy
forward --in input_ids=source.npy --in attention_mask=target.npy --in decoder_input_ids=target.npy
forward --in input_ids=source.npy --in attention_mask=nothing.npy --in decoder_input_ids=target.npy
forward --in input_ids=source.npy
forward --in labels=source.npy
forward --in input_ids=missing.npy --in decoder_input_ids=target.npy
ls -d out
"$HONE" run "$tiny" --threads 1 --in 0=strange.npy --in 2=target.npy --out out
