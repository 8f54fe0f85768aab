#!/bin/sh
# run.sh BUILD SECONDS: every fuzzer of BUILD/fuzz for that long, starting from its corpus; one line each with the number
# of executions. What a fuzzer finds stays in BUILD/found_<target>; what breaks it in BUILD/crash_<target>-*.
build=$1 seconds=$2 status=0
here=$(cd "$(dirname "$0")" && pwd)
for fuzzer in "$build"/fuzz/fuzz_*; do
    [ -x "$fuzzer" ] && [ -f "$fuzzer" ] || continue
    target=${fuzzer##*/fuzz_}
    mkdir -p "$build/found_$target"
    log=$build/fuzz_$target.log
    if "$fuzzer" "$build/found_$target" "$here/corpus/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/crash_$target-" > "$log" 2>&1; then
        result=ok
    else
        result=FAILED status=1
        tail -n 40 "$log" >&2
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: ${executions:-0} executions in $seconds s, $result"
done
exit $status
