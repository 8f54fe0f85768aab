# exit: 3
# What a line asks for wrongly is answered in its place, with a code that says bad input, and the others are served.
tiny=$SOURCE/tests/golden/engine/tiny_bart
cat > lines <<'LINES'
{"input_ids":[0,5,6,2]}
{"input_ids":[0,500,2]}

not json
{"input_ids":[0,5,6,2],"num_beams":3,"num_return_sequences":2}
{"input_ids":[0,5,6,2],"num_return_sequences":2}
{"input_ids":[0,5,6,2],"max_new_tokens":0}
{"input_ids":[0,5,6,2],"length_penalty":1e400}
{"input_ids":[0,5,6,2],"length_penalty":NaN}
{"input_ids":[]}
{"input_ids":[0,5,6,2],"input_ids":[0]}
{"input_ids":[0,5,6,2],"typical_p":0.5}
{"input_ids":[0,5,6,2],"max_new_tokens":100000}
{"input_ids":[0,5,6,2],"num_beams":60000}
{"input_ids":[0,5,6,2],"bad_words_ids":[[500]]}
{"text":"there is no tokenizer"}
LINES
printf '"\377"\n' >> lines
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "["; print "" }' >> lines
echo '{"input_ids":[0,5,6,2],"max_new_tokens":3}' >> lines
"$HONE" generate "$tiny" --threads 1 < lines 2> err | sed -e 's/"score":[^,}]*/"score":X/g'
cat err
"$HONE" generate "$tiny" --threads 1 < lines > all 2> err
