#!/bin/sh
# run.sh HONE FOLDER: looks at the pages that hone makes in Chromium: the report of the golden evidence (check.py), and the
# dashboard of a server of the demo's model (dashboard.py). Each part ends with "N passed, N failed". Called by ./dev pages.
set -eu
hone=$1 folder=$2
here=$(dirname "$0")
mkdir -p "$folder"
"$hone" report "$here/../../tests/golden/compress/evidence.json" -o "$folder/report.html"
# Debian's own, whatever else is called python3: python3-websocket belongs to it.
status=0
/usr/bin/python3 "$here/check.py" "$folder/report.html" "$folder" || status=1
"$hone" serve "$here/../../demo/model" --port 0 --no-history --log /dev/null > "$folder/server" &
server=$!
trap 'kill $server' EXIT
until url=$(sed -n 's/^listening on //p' "$folder/server") && [ -n "$url" ]; do kill -0 $server; sleep 0.1; done
/usr/bin/python3 "$here/dashboard.py" "$url" "$folder" || status=1
exit $status
