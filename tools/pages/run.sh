#!/bin/sh
# run.sh HONE FOLDER: draws the report of the golden evidence and looks at it in Chromium (check.py). The last line is
# "N passed, N failed". Called by ./dev pages.
set -eu
hone=$1 folder=$2
here=$(dirname "$0")
mkdir -p "$folder"
"$hone" report "$here/../../tests/golden/compress/evidence.json" -o "$folder/report.html"
# Debian's own, whatever else is called python3: python3-websocket belongs to it.
exec /usr/bin/python3 "$here/check.py" "$folder/report.html" "$folder"
