# int8-static end to end on the demo model: calibrated, written, verified, run; and data that cannot serve.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model data=$SOURCE/demo/dev.jsonl
quantize() { "$HONE" quantize "$model" --scheme int8-static "$@"; }
try() { "$HONE" quantize "$model" -o bad --scheme int8-static "$@" > /dev/null 2> err; echo "exit $? $(cat err)"; }
quantize -o out --calibration "$data" --calibration-samples 16 | sed 's/  */ /g'
"$HONE" verify out --json | grep -o '"verified":[a-z]*'
head -n 2 "$SOURCE/demo/test.jsonl" | sed 's/"dialogue"/"text"/' | "$HONE" generate out --threads 1 > one
head -n 2 "$SOURCE/demo/test.jsonl" | sed 's/"dialogue"/"text"/' | "$HONE" generate out --threads 2 --batch 2 > two
cmp one two && grep -c '"finish":"stop"' one
quantize -o again --calibration "$data" --calibration-samples 16 --threads 1 > /dev/null
cmp out/model.safetensors again/model.safetensors && echo the same with one thread
for rule in moving-average percentile entropy mse; do
    quantize -o rule --calibration "$data" --calibration-samples 16 --calibrate $rule > /dev/null && cmp -s out/model.safetensors rule/model.safetensors || echo $rule differs
done
quantize -o smooth --calibration "$data" --calibration-samples 16 --smooth 0.5 --correct-bias > /dev/null
grep -o '"smooth": [0-9.]*, "correct_bias": [a-z]*' smooth/hone.json
: > empty.jsonl
echo '{"text": "Hello.", "summary": "Hi."}' > short.jsonl
echo '{"input_ids": [0, 99999, 2]}' > ids.jsonl
echo '{"prose": "Hello."}' > shape.jsonl
for file in empty short ids shape none; do try --calibration $file.jsonl; done
try --calibration "$data" --calibrate kl
try --smooth 0.5
try --calibration "$data" --percentile 99
ls -d bad 2> /dev/null || echo nothing is left
