#!/bin/sh
# Measures build/hone against other engines on the same work, in turns. Run it alone on the machine. Arguments go to bart_base.py.
set -eu
cd "$(dirname "$0")/../.."
shared=$PWD/../shared/bench
[ -d "$shared" ] || { echo "bench: skipped: $shared is not here" >&2; exit 0; }
python=$(sh tools/oracle.sh ctranslate2==4.8.5)
work=${XDG_CACHE_HOME:-$HOME/.cache}/hone/bench
mkdir -p "$work"
exec "$python" tools/bench/bart_base.py "$PWD/build/hone" "$shared" "$work" "$@"
