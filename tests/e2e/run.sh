#!/bin/sh
# Runs every case of tests/e2e/cases, or those named by the arguments, and speaks TAP.
#
# A case is NAME.sh, run in an empty folder with $HONE (the program), $SOURCE (the repository) and $CASES. Its standard
# output has to equal NAME.stdout.exact, its standard error NAME.stderr.exact where there is one, and its exit code the
# one in its line "# exit: N" (0 without one). "# needs: PATH" skips the case where $SOURCE/PATH does not exist.
# HONE_BLESS=1 writes the .exact files instead of comparing (stderr only where the file exists already).
# Messages are compared with the folder's path replaced by FOLDER and the repository's by SOURCE.
CASES=$(cd "$(dirname "$0")" && pwd)/cases
SOURCE=${HONE_SOURCE:-$(cd "$CASES/../../.." && pwd)}
HONE=${HONE_PROGRAM:-$SOURCE/build/hone}
export HONE SOURCE CASES LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
XDG_CACHE_HOME=$scratch/cache # what hone keeps for its user is not this user's
export XDG_CACHE_HOME
number=0 failed=0

plain() { sed -e "s|$scratch/work|FOLDER|g" -e "s|$SOURCE|SOURCE|g" "$1"; }

# compare GOT EXACT: true when equal; says the difference as TAP comments.
compare() {
    plain "$1" > "$1.plain"
    if [ -n "$HONE_BLESS" ]; then cp "$1.plain" "$2"; fi
    diff -u "$2" "$1.plain" > "$scratch/diff" && return 0
    sed 's/^/# /' "$scratch/diff"
    return 1
}

run_case() {
    name=$1 script=$CASES/$1.sh
    needs=$(sed -n 's/^# needs: //p' "$script")
    if [ -n "$needs" ] && [ ! -e "$SOURCE/$needs" ]; then echo "ok $number - $name # SKIP no $needs"; return; fi
    expected=$(sed -n 's/^# exit: //p' "$script")
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    (cd "$scratch/work" && sh "$script" < /dev/null > "$scratch/out" 2> "$scratch/err")
    code=$? good=1
    if [ "$code" != "${expected:-0}" ]; then
        good=0; echo "# exit code $code, expected ${expected:-0}"; sed 's/^/# /' "$scratch/err"
    fi
    compare "$scratch/out" "$CASES/$name.stdout.exact" || good=0
    if [ -e "$CASES/$name.stderr.exact" ]; then compare "$scratch/err" "$CASES/$name.stderr.exact" || good=0; fi
    if [ $good = 1 ]; then echo "ok $number - $name"; else echo "not ok $number - $name"; failed=1; fi
}

if [ $# = 0 ]; then
    for file in "$CASES"/*.sh; do set -- "$@" "$(basename "$file" .sh)"; done
fi
echo "1..$#"
for name; do
    number=$((number + 1))
    run_case "$name"
done
exit $failed
