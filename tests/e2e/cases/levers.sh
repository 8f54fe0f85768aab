# The levers change no output; what they did is said on standard error and in eval's JSON; wrong usage is refused.
demo=$SOURCE/demo/model
head -n 4 "$SOURCE/demo/test.jsonl" | sed 's/.*"dialogue": *\("[^"]*\(\\"[^"]*\)*"\).*/{"text":\1}/' > lines
"$HONE" generate "$demo" --threads 2 --num-beams 1 < lines > plain
"$HONE" generate "$demo" --threads 2 --num-beams 1 --lm-head-screen --lookup-decoding < lines > levers 2> err
cmp plain levers && wc -l < levers
sed -E 's/[0-9.]+/N/g' err
"$HONE" eval "$demo" "$SOURCE/demo/test.jsonl" --limit 4 --num-beams 1 --json --lm-head-screen --lookup-decoding 2>&1 |
    sed -E 's/.*("lm_head_screen".*)/\1/; s/[0-9.]+/N/g'
"$HONE" generate "$demo" --num-beams 4 --lookup-decoding < lines 2>&1
echo "exit $?"
"$HONE" generate "$demo" --num-beams 1 --do-sample --lookup-decoding < lines 2>&1
echo '{"input_ids":[0,5,6,2],"max_new_tokens":2}' |
    "$HONE" generate "$SOURCE/tests/golden/model/micro" --lm-head-screen 2>&1 >/dev/null
"$HONE" bench "$demo" --samples 2 --runs 2 --warmup 0 --new-tokens 4 --no-history --json --lm-head-screen --lookup-decoding |
    sed -E 's/.*("lm_head_screen".*)/\1/; s/[0-9.]+/N/g'
"$HONE" bench "$demo" --samples 1 --runs 1 --num-beams 2 --no-history --lookup-decoding 2>&1
echo "exit $?"
