# needs: demo/model
# Killed again and again at any moment, once with half a line written, a batch that goes on ends with the same bytes.
model=$SOURCE/demo/model
head -n 24 "$SOURCE/demo/test.jsonl" |
    sed 's/.*"dialogue": *\("[^"]*\(\\"[^"]*\)*"\).*/{"method":"POST","url":"\/v1\/completions","body":{"prompt":\1,"max_tokens":12}}/' |
    awk '{ print "{\"custom_id\":\"" NR "\"," substr($0, 2) }' > in
"$HONE" batch "$model" in whole --threads 1 || exit 1
lines() { if [ -e out.part ]; then wc -l < out.part; else echo 0; fi; }
for kill in 1 2 3 4 5; do
    before=$(lines)
    "$HONE" batch "$model" in out --threads 1 --batch 2 --resume > told 2> err &
    if [ $kill != 1 ]; then # the first one early, the others once there is more
        for try in $(seq 200); do
            if [ "$(lines)" -gt "$before" ] || [ -e out ]; then break; fi
            sleep 0.02
        done
    fi
    kill -9 $! 2> /dev/null
    wait $!
    if [ -e out ]; then break; fi
    if [ $kill = 3 ] && [ -e out.part ]; then printf '{"id":"batch_req_99","custom' >> out.part; fi
done 2> /dev/null
[ -e out ] || "$HONE" batch "$model" in out --threads 1 --resume
cmp whole out && echo "the same bytes"
# Another input, model, shard or options are not gone on with.
head -n 3 whole > other.part
"$HONE" batch "$model" in other --resume 2>&1
"$HONE" batch "$model" in run --threads 1 > told 2> err &
for try in $(seq 200); do
    if [ -e run.part ]; then break; fi
    sleep 0.02
done
kill -9 $!
wait $! 2> /dev/null
cp run.part.of of
head -n 3 whole > run.part
head -n 20 in > fewer
"$HONE" batch "$model" fewer run --resume 2>&1
"$HONE" batch "$model" in run --resume --shard 1/2 2>&1
"$HONE" batch "$model" in run --resume --num-beams 1 2>&1
cp -r "$model" copy && echo > copy/more.txt
"$HONE" batch copy in run --resume 2>&1
sed 's/"custom_id":"2"/"custom_id":"5"/' whole > run.part
"$HONE" batch "$model" in run --resume 2>&1
cp run.part.of of.again && cmp of of.again
{ cat whole; head -n 1 whole; } > run.part
"$HONE" batch "$model" in run --resume 2>&1
cp whole run.part
"$HONE" batch "$model" in run --resume && cmp whole run && echo "nothing was left to do"
ls
