#!/bin/sh
# Installs the build that HONE_BUILD names into an empty folder and uses what lies there as a stranger would: compiler
# flags from pkg-config alone, the example program, a small model. Speaks TAP.
#
# HONE_CC and HONE_SANITIZE say how the library was compiled; a sanitized library needs a sanitized program.
set -u
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root" || exit 1
LC_ALL=C
export LC_ALL
number=0 failed=0
# check NAME COMMAND...
check() {
    name=$1; shift
    number=$((number + 1))
    if "$@" > log 2>&1; then echo "ok $number - $name"; return; fi
    echo "not ok $number - $name"
    sed 's/^/# /' log
    failed=1
}

echo 1..8
check "installs" meson install -C "$HONE_BUILD" --no-rebuild --destdir "$root/tree"
header=$(find tree -name hone.h) pc=$(find tree -name hone.pc) library=$(find tree -name libhone.so)
check "header, pkg-config file, library and program are there" \
    test -n "$header" -a -n "$pc" -a -n "$library" -a -n "$(find tree -type f -name hone -perm -100)"

flags=
[ "${HONE_SANITIZE:-none}" = none ] || flags=-fsanitize=$HONE_SANITIZE
PKG_CONFIG_PATH=$(dirname "$root/$pc") PKG_CONFIG_SYSROOT_DIR=$root/tree
LD_LIBRARY_PATH=$root/tree/$(dirname "${library#tree/}")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
# shellcheck disable=SC2046,SC2086 # lists of words
check "the example compiles with pkg-config's flags alone" ${HONE_CC:-cc} -std=c99 -Wall -Wextra -Werror $flags \
    "$HONE_SOURCE/examples/summarize.c" $(pkg-config --cflags --libs hone) -o summarize

mkdir model
for file in "$HONE_SOURCE"/tests/golden/engine/tiny_bart/* "$HONE_SOURCE"/tests/golden/stack/tokenizer.json; do
    ln -s "$file" "model/$(basename "$file")"
done
echo 'w9 w40 w77 w12 w95 w30 w30 w8' > text
check "it summarizes" sh -c './summarize model text "{\"min_new_tokens\":6}" > summary && grep -q "w[0-9]" summary'
check "as the program does" sh -c '"$HONE_PROGRAM" summarize model text --min-new-tokens 6 | cmp - summary'
check "it takes options" sh -c './summarize model text "{\"num_beams\":3,\"min_new_tokens\":4,\"max_new_tokens\":5}" |
    awk "NF < 1 || NF > 5 { exit 1 }"'
# refused CODE TEXT ARGUMENT...: the example exits with CODE and says TEXT.
refused() {
    code=$1 text=$2; shift 2
    ./summarize "$@" 2> said
    [ $? = "$code" ] && grep -q -- "$text" said || { cat said; return 1; }
}
check "a model that is not there is named" refused 5 "there is no model at 'nowhere'" nowhere text
check "a wrong option is named" refused 2 "'num_beams' is \"two\"" model text '{"num_beams":"two"}'
exit $failed
