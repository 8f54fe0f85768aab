#!/bin/sh
# Every rule of the house, one script each: a script prints what breaks its rule and then fails. The last line is
# "N passed, N failed". Needs build/ (./dev build) for the symbols.
cd "$(dirname "$0")/../.." || exit 1
LC_ALL=C
export LC_ALL
passed=0 failed=0
for script in tools/check/rule_*.sh; do
    name=$(basename "$script" .sh)
    if sh "$script" >&2; then
        echo "ok - ${name#rule_}"
        passed=$((passed + 1))
    else
        echo "not ok - ${name#rule_}"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
