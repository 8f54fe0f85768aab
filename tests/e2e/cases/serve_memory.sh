# A memory limit holds for all that is loaded at once: for several models, and for one and what is to replace it. A reload
# that would pass it is left out, and the model stays as it was.
model=$SOURCE/demo/model
plain() { sed 's/[0-9][0-9]* MB/N MB/g; s/weights.*;/..;/' "$1"; }
"$HONE" serve "$model" --port 0 --threads 1 --no-history --log log --memory-limit 150M > out 2> err
echo "too little: exit $?"
plain err
least=$(sed 's/.*takes at least \([0-9]*\) MB.*/\1/' err)
cp -r "$model" other
"$HONE" serve "$model" other --port 0 --threads 1 --no-history --log log --memory-limit $((least + 2))M > out 2> err
echo "room for one of two: exit $?"
plain err

"$HONE" serve "$model" --port 0 --threads 1 --no-history --log log --memory-limit $((least + 2))M > out 2> err &
server=$!
trap 'kill -9 $server 2> /dev/null' EXIT
for _ in $(seq 600); do grep -q K/V out && break; kill -0 $server || break; sleep 0.1; done
kill -HUP $server
for _ in $(seq 600); do grep -q 'stays as it was' log && break; sleep 0.1; done
grep -o '"level":"error".*' log | sed 's/[0-9][0-9]* MB/N MB/g; s/weights.*;/..;/'
kill -TERM $server
wait $server
echo "server: exit $?"
