# Pairs of times in, a verdict out: exit 1 only where the times got longer.
pairs() { awk -v factor="$1" 'BEGIN { for (i = 0; i < 12; i++) printf "{\"before\":%.3f,\"after\":%.3f}\n", 100 + i % 3, factor * (100 + (i * 7) % 5 / 2) }'; }
pairs 1 > same; pairs 1.1 > slower; pairs 0.9 > faster
for name in same slower faster; do "$HONE" compare < $name 2>&1; echo "exit $?"; done
"$HONE" compare --json < slower 2> /dev/null | sed 's/"low".*//'
head -n 5 same | "$HONE" compare 2>&1; echo "exit $?"
echo '{"before":1}' | "$HONE" compare 2>&1; echo "exit $?"
