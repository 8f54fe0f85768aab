# What each layer of the demo's model costs: tables, JSON, a picture; kept and found again; and what cannot be measured.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model data=$SOURCE/demo/dev.jsonl
sense() { "$HONE" sensitivity "$model" "$data" --samples 4 --schemes int8,nf4 --amounts 0.5 --rouge-samples 1 --cache kept "$@"; }
try() { "$HONE" sensitivity "$@" --cache none > /dev/null 2> err; echo "exit $? $(cat err)"; }
sense --svg heat.svg > table || exit 9
sed -n '1,20p' table | sed 's/[0-9][0-9]* tokens/N tokens/'
grep -c . table
awk 'length > 120 && !/^Most/' table
grep -o '^Most sensitive to fewer bits: [a-z0-9_.]* ' table
grep -c '<rect class="[gh][0-8]"' heat.svg
grep -o '>What each layer costs</title>' heat.svg
sense --json > first && sense --json --threads 1 --cache other > second
for file in first second; do sed -e 's/"ms_saved":[^}]*//g; s/"base_ms":[^,]*//' $file > $file.same; done
cmp first.same second.same && echo the same with one thread
sense > again && cmp table again && echo the same again, times and all
grep -o '"layer":"shared","change":"int8","kind":"scheme","scheme":"int8"' first
grep -o '"bytes_saved":[0-9]*' first | sort | uniq -c | sort -rn | sed 's/  */ /g' | head -n 3
: > empty.jsonl
echo '{"text": "Hello.", "summary": "Hi."}' > short.jsonl
echo '{"text": "Hello."}' > bare.jsonl
for file in empty short bare none; do try "$model" $file.jsonl; done
try "$model" "$data" --schemes int8,int3
try "$model" "$data" --schemes int8-static
try "$model" "$data" --amounts 0.5,1.5
try "$model" "$data" --amounts 0.5,,1
try "$model" "$data" --amounts half
try "$model" "$data" --group 48
"$HONE" quantize "$model" -o small --scheme int8 > /dev/null
try small "$data"
