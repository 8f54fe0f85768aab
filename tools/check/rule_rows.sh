# Every row of a table has its file, every file its row.
status=0
rows() { sed -n "s/^$2(\([a-z0-9_]*\).*/\1/p" "$1" 2> /dev/null; }
names() { for file in $1; do [ ! -f "$file" ] || basename "$file" .c; done; }
same() { # WHAT ROWS FILES
    for row in $2; do case " $3 " in *" $row "*) ;; *) echo "$1 '$row' has a row and no file"; status=1 ;; esac; done
    for file in $3; do case " $2 " in *" $file "*) ;; *) echo "$1 '$file' has a file and no row"; status=1 ;; esac; done
}
list() { tr '\n' ' '; }
same command "$(rows src/cli/commands.def COMMAND | list)" "$(names 'src/cli/cmd_*.c' | sed 's/^cmd_//' | list)"
same "fuzz target" "$(awk '/^fuzz_rows/, /\]/' fuzz/meson.build | grep -o "'[a-z0-9_]*'" | tr -d "'" | list)" \
    "$(names 'fuzz/fuzz_*.c' | sed 's/^fuzz_//' | list)"
for row in $(sed -n "s/^  \['\([a-z]*\)', '\([a-z0-9_]*\)'\],.*/\1\/test_\2/p" tests/meson.build); do
    [ -f "tests/$row.c" ] || { echo "test '$row' has a row and no file"; status=1; }
done
for file in tests/*/test_*.c; do
    [ -f "$file" ] || continue
    room=$(basename "$(dirname "$file")") noun=$(basename "$file" .c)
    grep -q "\['$room', '${noun#test_}'\]" tests/meson.build || { echo "$file has no row in tests/meson.build"; status=1; }
done
for op in $(sed -n 's/^OP([A-Z_0-9]*, *\([a-z0-9_]*\),.*/\1/p' src/graph/ops.def); do
    [ -f "src/op/$op.c" ] || { echo "operator '$op' has no src/op/$op.c"; status=1; }
done
for op in $(sed -n 's/^TENSOR_OP([A-Z_0-9]*, *\([a-z0-9_]*\),.*/\1/p' src/graph/tensor_ops.def); do
    [ -f "src/op/tensor/$op.c" ] || { echo "operator '$op' has no src/op/tensor/$op.c"; status=1; }
done
for pass in $(rows src/pass/passes.def PASS); do
    [ -f "src/pass/$pass.c" ] || [ -f "src/pass/tensor/$pass.c" ] || { echo "pass '$pass' has no file"; status=1; }
done
exit $status
