# Every command that help lists has a help of its own.
"$HONE" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' > commands
while read -r command; do
    "$HONE" help "$command" > text || echo "no help of $command"
    head -n 1 text | grep -q "^hone $command" || echo "help of $command begins otherwise"
    grep -q -- "--threads N" text || echo "help of $command lacks the common options"
done < commands
test -s commands && echo done
