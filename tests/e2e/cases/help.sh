# The three ways to ask for help agree, and help is an answer: stdout, exit 0.
"$HONE" --help > one && "$HONE" help > two && "$HONE" -h > three && cmp one two && cmp one three || exit 9
grep -c '^  [a-z]' one > count && test "$(cat count)" -gt 1 || exit 9
sed -n '1,4p' one
"$HONE" help cpu > one && "$HONE" cpu --help > two && "$HONE" cpu -h > three && cmp one two && cmp one three || exit 9
cat one
