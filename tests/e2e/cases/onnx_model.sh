# exit: 3
# An exported folder is a MODEL: it generates, inspects, is quantized and exported again as the checkpoint is; what is missing or is
# another model is told.
tiny=$SOURCE/tests/golden/engine/tiny_bart
cat > lines <<'LINES'
{"input_ids":[0,5,6,2]}
{"input_ids":[0,7,8,9,10,11,2],"num_beams":3}
LINES
"$HONE" export "$tiny" -o exported --quiet > /dev/null
for model in "$tiny" exported; do "$HONE" generate $model --threads 1 < lines > "$(basename $model).out"; done
cmp tiny_bart.out exported.out && wc -l < exported.out
"$HONE" inspect exported | grep -E 'family|quantization'
"$HONE" verify exported | grep transformers | head -1
for model in "$tiny" exported; do "$HONE" quantize $model -o "$(basename $model).int8" --scheme int8 --quiet > /dev/null; done
for model in tiny_bart exported; do "$HONE" generate $model.int8 --threads 1 < lines > $model.int8.out; done
cmp tiny_bart.int8.out exported.int8.out && echo same int8
mkdir onnx && mv exported/*.onnx exported/*.onnx_data onnx && mv onnx exported # as hubs have it
"$HONE" generate exported --threads 1 < lines | cmp - tiny_bart.out && echo same below onnx
sed -i 's/"encoder_attention_heads": *[0-9]*/"encoder_attention_heads": 1/' exported/config.json
"$HONE" generate exported < lines 2>&1
rm exported/onnx/decoder*
"$HONE" generate exported < lines 2>&1
rm exported/onnx/*
"$HONE" generate exported < lines 2>&1
