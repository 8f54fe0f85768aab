# hone opt --target onnx: an operator that only ONNX Runtime has becomes ONNX's own, or is said and nothing written.
# bytes BYTE...: these bytes, octal.
bytes() { for byte; do printf "\\$byte"; done; }
# field TAG: standard input behind its tag and its length.
field() { cat > part; bytes "$1" "$(printf '%o' "$(wc -c < part)")"; cat part; }
# value NAME: a ValueInfoProto of float[2].
value() { printf '%s' "$1" | field 012; bytes 022 012 012 010 010 001 022 004 012 002 010 002; }
{ printf x | field 012; printf y | field 022; printf FastGelu | field 042; printf com.microsoft | field 072; } > node
{ field 012 < node; printf g | field 022; } > graph
value x > value; field 132 < value >> graph
value y > value; field 142 < value >> graph
{ bytes 020 001; printf com.microsoft | field 012; } > theirs
{ bytes 010 010; field 072 < graph; bytes 102 002 020 024; field 102 < theirs; } > in.onnx
say() { "$HONE" "$@" > out 2> err; code=$?; sed 's/[0-9]* bytes/N bytes/; s/"bytes":[0-9]*/"bytes":N/' out; sed 's/^/stderr: /' err; echo "exit $code"; }
say opt in.onnx -o plain.onnx --target onnx
say opt plain.onnx -o theirs.onnx
say opt in.onnx -o none.onnx --target onnx --level 0
say opt in.onnx -o none.onnx --target onnx --passes dead_code
ls ./*.onnx
