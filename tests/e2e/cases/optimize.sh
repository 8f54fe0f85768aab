# A search on the demo model over few rows: what it writes is verified, tells its evidence, comes out the same again, and an
# interrupt leaves nothing.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
head -n 24 "$SOURCE/demo/dev.jsonl" > rows.jsonl
search() { "$HONE" optimize "$model" --data rows.jsonl --for memory --max-evaluations 3 --max-loss 0.2 --quiet "$@"; }
search -o small --cache cache --report page.html > table 2> err
echo "exit $? $(cat err)"
cut -c 1-13 table | sed -n '2,$p' | grep -E '^(orig|FP16|INT8|chos)'
tail -n 1 table
grep -c '<!doctype html>' page.html
"$HONE" verify small --json | grep -o '"verified":[a-z]*'
search -o again --cache cache > other 2> err
echo "exit $?"
head -n -1 table > one && head -n -1 other | cmp - one && cmp small/model.safetensors again/model.safetensors && echo the same again
head -n 1 rows.jsonl | sed 's/"dialogue"/"text"/' | "$HONE" generate small --plain-runtime | grep -c '"finish"'
timeout --preserve-status -s INT 0.7 "$HONE" optimize "$model" -o ended --data rows.jsonl --cache none --quiet > ended.txt 2>&1
echo "exit $?"
ls
