#!/bin/sh
# run.sh BUILD_FOLDER [MINUTES]: what a server has to withstand, from outside: raw requests through proxies, drills, a soak.
# Ends with 1 when something does not hold. Called by ./dev serve.
set -u
build=$1 minutes=${2:-2}
here=$(dirname "$0")
failed=0

part() {
    echo "== $*"
    "$@" || { failed=1; echo "== failed: $*"; }
}

part sh "$here/proxies.sh" "$build"
part /usr/bin/python3 "$here/drills.py"
part /usr/bin/python3 "$here/soak.py" --minutes "$minutes"
exit $failed
