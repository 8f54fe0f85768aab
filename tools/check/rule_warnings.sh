# gcc and clang compile everything without a warning.
status=0
for compiler in gcc clang; do
    folder=build-warnings-$compiler
    [ -e "$folder/build.ninja" ] || CC=$compiler meson setup "$folder" -Dwerror=true -Doptimization=1 > /dev/null || exit 1
    ninja -C "$folder" > "$folder/log" 2>&1 || { echo "$compiler:"; grep -E 'error|warning' "$folder/log" | head -n 20; status=1; }
done
exit $status
