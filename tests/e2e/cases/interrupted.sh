# needs: demo/model
# However the terminal goes away, nothing half-written stays.
model=$SOURCE/demo/model
for name in HUP INT TERM; do
    "$HONE" eval "$model" "$SOURCE/demo/test.jsonl" --threads 1 --predictions out > told 2> err &
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        if ls out.*.part > /dev/null 2>&1; then break; fi
        sleep 0.1
    done
    ls out.*.part | sed 's/[0-9][0-9]*-[0-9]*/N/'
    kill -"$name" $!
    wait $!
    echo "$name: exit $?"
    cat told err
    ls
done
