# Data that a model cannot be made smaller with, and weights that are not finite: a sentence that says what is to blame,
# and nothing left behind.
# needs: demo/model/model.safetensors
demo=$SOURCE/demo/model data=$SOURCE/demo/dev.jsonl
try() { "$HONE" "$@" > /dev/null 2> err; echo "exit $? $(cat err)"; ls -d out* 2> /dev/null; rm -rf out; }
# everything MODEL DATA: every way of running a model over data.
everything() {
    try quantize "$1" -o out --scheme int8-static --calibration "$2" --calibration-samples 8
    try quantize "$1" -o out --scheme int4 --gptq --calibration "$2" --calibration-samples 8
    try prune "$1" -o out --method ffn --amount 0.25 --data "$2" --data-samples 8
    try prune "$1" -o out --method vocab --data "$2"
}
rows() { for i in 1 2 3 4 5 6 7 8; do printf '%s\n' "$1"; done; }
rows '{"text": "", "summary": ""}' > empty.jsonl
rows '{"text": "안녕하세요 오늘 점심 같이 먹을까요? 네 좋아요, 열두시에 만나요. 알겠습니다.", "summary": "점심 약속."}' > korean.jsonl
rows '{"text": ["Hello."], "summary": "Hi."}' > shape.jsonl
for file in empty korean shape; do echo "$file:" && everything "$demo" $file.jsonl; done
# what the sentence offers: ids are taken as they are
ids=$(echo '"안녕하세요 점심 같이"' | "$HONE" tokenize "$demo" | sed 's/.*"ids":\([^]]*]\).*/\1/')
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo "{\"input_ids\": $ids, \"label_ids\": $ids}"; done > ids.jsonl
try quantize "$demo" -o out --scheme int8-static --calibration ids.jsonl
cp -r "$demo" nan && chmod u+w nan nan/model.safetensors
printf '\000\000\300\177' | dd of=nan/model.safetensors bs=4 seek=1225000 conv=notrunc 2> /dev/null
echo nan: && everything nan "$data"
