# hone opt: a graph of additions, two of them equal and one that nothing reads, through passes; wrong usage.
# bytes BYTE...: these bytes, octal.
bytes() { for byte; do printf "\\$byte"; done; }
# node OUTPUT INPUT INPUT: a node Add, 16 bytes.
node() { bytes 012 016 012 001; printf '%s' "$2"; bytes 012 001; printf '%s' "$3"; bytes 022 001; printf '%s' "$1"; bytes 042 003; printf Add; }
# value NAME: a ValueInfoProto of float[2], 15 bytes.
value() { bytes 012 001; printf '%s' "$1"; bytes 022 012 012 010 010 001 022 004 012 002 010 002; }
{
    bytes 010 010 072 165 # ir_version 8; a graph of 117 bytes
    node a x x; node b x x; node c a b; node d x c; node y a c
    bytes 022 001; printf g
    bytes 132 017; value x
    bytes 142 017; value y
    bytes 102 004 012 000 020 016 # opset 14
} > in.onnx
say() { "$HONE" "$@" > out 2> err; code=$?; sed 's/[0-9]* bytes/N bytes/; s/"bytes":[0-9]*/"bytes":N/' out; sed 's/^/stderr: /' err; echo "exit $code"; }
say opt in.onnx -o none.onnx --level 0
say opt in.onnx -o all.onnx
say opt in.onnx -o json.onnx --json
cmp all.onnx json.onnx && echo same
say opt all.onnx -o again.onnx --level 1 --target onnx --json
cmp all.onnx again.onnx && echo same
say opt in.onnx -o dead.onnx --passes dead_code --opset 17 --dump-after dead_code --json
say opt in.onnx
say opt in.onnx -o x.onnx --level 3
say opt in.onnx -o x.onnx --passes dead_code,nothing
say opt in.onnx -o x.onnx --passes ,
say opt in.onnx -o x.onnx --level 0 --dump-after dead_code
say opt in.onnx -o x.onnx --opset 13
"$HONE" export "$SOURCE/tests/golden/model/micro" -o parts --parts encoder > /dev/null
"$HONE" opt parts/encoder_model.onnx -o outside.onnx --external-data always > /dev/null; ls outside.onnx*
"$HONE" opt parts/encoder_model.onnx -o outside.onnx --external-data always --level 0 > /dev/null; ls outside.onnx*
say opt in.onnx -o x.onnx --external-data much
say opt missing.onnx -o x.onnx
say opt "$0" -o x.onnx
say opt in.onnx -o nowhere/x.onnx
ls
