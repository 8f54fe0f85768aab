# Sums meson's JUnit logs (first file, one after the other) over all test cases, takes skips that C tests print as
# "# SKIP" from its text log (second file), and prints "N passed, N failed, N skipped". `status` is what meson test
# returned: a program that died counts as a failure even when no case says so.
function number(name,    text) {
    if (!match($0, " " name "=\"[0-9]+\""))
        return 0
    text = substr($0, RSTART, RLENGTH)
    gsub(/[^0-9]/, "", text)
    return text + 0
}
FNR == NR && /<testsuites / { tests += number("tests"); failed += number("failures") + number("errors") }
FNR == NR { skipped += gsub(/<skipped/, "&") }
FNR != NR && /^# SKIP / { late++ }
END {
    if (status != 0 && failed == 0) { failed = 1; tests++ }
    if (tests == 0) { failed = 1; tests = 1 }
    printf "%d passed, %d failed, %d skipped\n", tests - failed - skipped - late, failed, skipped + late
    exit failed != 0
}
