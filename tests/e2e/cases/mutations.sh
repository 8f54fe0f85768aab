# Settings of a wrong type, sign or size, and damaged weights: a clean answer or a clean refusal, whatever the damage.
tiny=$SOURCE/tests/golden/engine/tiny_bart
mkdir model && cp "$tiny"/*.json "$tiny"/model.safetensors model && rm -f model/cases.json
# try WHAT: opens and runs the damaged model.
try() {
    echo '{"input_ids":[0,5,6,2],"max_new_tokens":2}' | "$HONE" generate model --threads 1 > out 2> err
    code=$?
    case $code in 0 | 3 | 4 | 6) ;; *) echo "$1: exit $code"; cat err ;; esac
    count=$((count + 1))
}
count=0
for file in config.json generation_config.json; do
    lines=$(wc -l < "$tiny/$file")
    for value in null -1 0 99999999999 '"x"' '{"a":[1]}'; do
        line=1
        while [ $line -le "$lines" ]; do
            if sed -n "${line}p" "$tiny/$file" | grep -q '": [^[{]'; then
                sed "${line}s|\": [^,]*|\": $value|" "$tiny/$file" > "model/$file"
                try "$file line $line is $value"
            fi
            line=$((line + 1))
        done
    done
    cp "$tiny/$file" model
done
for bytes in 0 1 7 8 9 100 1000 5000 10000 100000 154191; do
    head -c $bytes "$tiny/model.safetensors" > model/model.safetensors
    try "$bytes bytes"
done
byte=0
while [ $byte -lt 900 ]; do
    cp "$tiny/model.safetensors" model && printf '\377' | dd of=model/model.safetensors bs=1 seek=$byte conv=notrunc 2> /dev/null
    try "byte $byte"
    byte=$((byte + 29))
done
[ $count -gt 150 ] && echo "more than 150 damaged models"
# Settings that are wrong only for this model are its fault, unless the command line brings them.
cp "$tiny"/*.json "$tiny/model.safetensors" model
sed 's|"decoder_start_token_id": [0-9]*|"decoder_start_token_id": 500|' "$tiny/generation_config.json" > model/generation_config.json
"$HONE" generate model --threads 1 < /dev/null 2> err
echo "exit $? $(cat err)"
"$HONE" generate "$tiny" --forced-bos-token-id 500 < /dev/null 2> err
echo "exit $? $(cat err)"
