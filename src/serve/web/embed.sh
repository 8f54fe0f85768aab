#!/bin/sh
# embed.sh PATH TYPE FILE [PATH TYPE FILE]...: writes C that holds the files as they are, and a table of them, with their
# hashes as entity tags.
set -eu
number=0 table=
while [ $# -gt 0 ]; do
    echo "static const unsigned char asset_$number[] = {"
    od -An -v -tx1 "$3" | sed 's/ \(..\)/0x\1,/g'
    echo "};"
    tag=$(sha256sum "$3" | cut -c 1-16)
    table="$table    {\"$1\", \"$2\", \"\\\\\"$tag\\\\\"\", {asset_$number, sizeof asset_$number}},\\n"
    number=$((number + 1))
    shift 3
done
printf 'static const DashboardAsset assets[] = {\n%b};\n' "$table"
