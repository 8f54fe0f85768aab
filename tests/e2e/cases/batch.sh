# needs: demo/model
# A batch answers each line in its place as `generate` does, or says what is wrong with it; shards together are the whole;
# what lies beside the output is of one run only.
model=$SOURCE/demo/model
head -n 6 "$SOURCE/demo/test.jsonl" | sed 's/.*"dialogue": *\("[^"]*\(\\"[^"]*\)*"\).*/\1/' > texts
line() { printf '{"custom_id":"%s","method":"POST","url":"%s","body":%s}\n' "$@"; }
{
    number=0
    while read -r text; do
        number=$((number + 1))
        line "row $number" /v1/completions "{\"model\":\"any\",\"prompt\":$text,\"max_tokens\":16}"
    done < texts
    text=$(head -n 1 texts)
    line chat /v1/chat/completions "{\"messages\":[{\"role\":\"user\",\"content\":$text}],\"max_tokens\":16,\"temperature\":0,\"stream\":true}"
    line summaries /v1/summarize "{\"input\":[$text,{\"turns\":[{\"speaker\":\"Anna\",\"text\":\"See you at 7.\"}]}],\"length\":\"short\"}"
    line theirs /v1/summarize "{\"inputs\":$text,\"parameters\":{\"max_new_tokens\":8}}"
    line long /v1/summarize "{\"input\":\"$(awk 'BEGIN { for (i = 0; i < 200; i++) printf "Anna: See you at 7. " }')\",\"max_tokens\":6,\"truncation\":\"chunk\"}"
    echo 'not JSON'
    echo
    line "row 1" /v1/completions '{"prompt":"again"}'
    line embeddings /v1/embeddings '{"input":"a"}'
    line many /v1/completions '{"prompt":"a","n":100}'
    line "too long" /v1/completions "{\"prompt\":\"$(awk 'BEGIN { for (i = 0; i < 2000; i++) printf "word " }')\"}"
    echo '{"custom_id":7,"method":"POST","url":"/v1/completions","body":{"prompt":"a"}}'
    line "no body" /v1/completions '"a"'
    printf '%s' "$(line last /v1/completions '{"prompt":[0,5,6,2],"max_tokens":4}')"
} > in
"$HONE" batch "$model" in out --threads 2 2> err
echo "exit $? $(cat err)"
sed -n 's/^{"id":"\([^"]*\)","custom_id":\("[^"]*"\|null\),"response":\(null\|{"status_code":[0-9]*\).*/\1 \2 \3/p' out
grep -o '"error":{"\(message\|code\)":[^}]*}' out
grep -o '"chunks":[0-9]*' out | sort | uniq -c
"$HONE" generate "$model" --max-new-tokens 16 --threads 2 < texts | sed 's/.*"text":\(".*"\),"score".*/\1/' > wanted
head -n 6 out | sed 's/.*"text":\(".*"\),"logprobs".*/\1/' | cmp - wanted && echo "the texts are those of generate"
for shard in 0 1 2; do
    "$HONE" batch "$model" in out.$shard --shard $shard/3 --threads 1 --batch 2 2> err
    echo "exit $? $(cat err)"
done
cat out.0 out.1 out.2 | sort -t _ -k 3n > shards
cmp shards out && echo "the shards together are the whole"
for shard in 3/3 1 a/b 0/0 -1/2 1/2x; do
    "$HONE" batch "$model" in out.x --shard $shard 2>&1
    echo "exit $?"
done
# What is there of another run is not touched, unless it is gone on with, and then it has to be of the same.
"$HONE" batch "$model" in out.0 --shard 0/3 --resume 2> err # nothing to go on with: from the beginning
head -n 2 out > killed.part
echo '{"input":"x","model":"x","shard":"0/1","options":""}' > killed.part.of
"$HONE" batch "$model" in killed 2>&1
"$HONE" batch "$model" in killed --resume 2>&1
rm killed.part.of
"$HONE" batch "$model" in killed --resume 2>&1
"$HONE" batch "$model" missing killed.x 2>&1
"$HONE" batch "$model" in . 2>&1
"$HONE" batch "$model" in ./in 2>&1
ls
"$HONE" batch "$model" in out --num-return-sequences 2 --num-beams 2 2>&1
# Sampling without a seed: lines differ, runs do not.
for name in a b c; do line $name /v1/completions '{"prompt":"Anna: See you at 7.","temperature":1.5,"max_tokens":12}'; done > in
"$HONE" batch "$model" in once && "$HONE" batch "$model" in twice --threads 1 --batch 1 && cmp once twice &&
    sed 's/.*"text":\(".*"\),"logprobs".*/\1/' once | sort -u | wc -l
