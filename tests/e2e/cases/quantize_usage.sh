# What quantize refuses, and that it leaves nothing behind.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
try() { "$HONE" quantize "$@" > /dev/null 2> err; echo "exit $? $(sed 's,[.][0-9]*[.]part,.PID.part,' err)"; }
try "$model" --scheme int8
try "$model" -o out
try "$model" -o out --scheme int8-static
try "$model" -o out --scheme int4 --group 48
try "$model" -o out --scheme int4 --scales best
try "$model" -o out --scheme int3
try "$model" -o out --scheme int8 --keep '*.fc3=fp16'
try "$model" -o out --scheme int8 --keep '*.fc2'
try "$model" -o out --scheme int8 --keep 're:(=fp16'
try "$model" -o out --scheme int8 --loadable --embeddings int8
try nowhere -o out --scheme int8
mkdir theirs && echo precious > theirs/file
try "$model" -o theirs --scheme fp16
try "$model" -o no/where --scheme fp16
ls
(ulimit -f 1000; trap '' XFSZ; try "$model" -o out --scheme fp16)
ls
