# A model as ONNX files in the layout that optimum loads: what is there, what is told, what is refused with nothing left behind.
# What the files compute is held by tests/model/test_onnx_export.c.
# exit: 2
micro=$SOURCE/tests/golden/model/micro
"$HONE" export "$micro" -o out --json
cmp out/config.json "$micro/config.json" && ls out
"$HONE" export "$micro" -o parts --parts merged,encoder --opset 20 --external-data 1K && ls parts
"$HONE" run parts/encoder_model.onnx --out ran 2>&1
try() { "$HONE" export "$@" > /dev/null 2> err; echo "exit $? $(cat err)"; ls -d new* 2> /dev/null; }
try "$micro"
try "$micro" -o out
try "$micro" -o new --opset 13
try "$micro" -o new --opset 23
try "$micro" -o new --parts encoder,body
try "$micro" -o new --parts ,
try "$micro" -o new --format gguf
try "$micro" -o new --external-data much
"$HONE" export "$micro" -o within --external-data never | sed 's/, [0-9]* bytes$//' && ls within
"$HONE" export "$micro" -o alone --parts encoder --external-data always > /dev/null && ls alone
"$HONE" export "$micro" -o low --opset 17 --optimize 2 --target onnx --parts encoder | sed 's/, [0-9]* bytes$//'
"$HONE" export "$micro" -o high --optimize 2 --target onnx --parts encoder | sed 's/, [0-9]* bytes$//'
"$HONE" opt alone/encoder_model.onnx -o opt.onnx --target onnx --opset 20 | grep -E 'Gelu|LayerN|Attention|opset' | sed 's/, [0-9]* bytes.*$//'
# Int8 rows come back from either form as they were.
ids='{"input_ids":[0,5,9,7,2]}'
"$HONE" quantize "$micro" -o rows --scheme int8 --quiet > /dev/null
echo "$ids" | "$HONE" generate rows --max-new-tokens 6 > rows.ids
for how in integer dequantize; do
    "$HONE" export rows -o "$how" --int8 "$how" --parts encoder,merged | sed 's/, [0-9]* bytes$//'
    echo "$ids" | "$HONE" generate "$how" --max-new-tokens 6 | cmp - rows.ids
done
"$HONE" export rows -o passed --optimize 2 > /dev/null && echo "$ids" | "$HONE" generate passed --max-new-tokens 6 | cmp - rows.ids
# Sizes that stay.
"$HONE" export "$micro" -o fixed --dynamic-axes target --batch-size 2 --source-tokens 4 --quiet > /dev/null
for part in encoder_model decoder_model decoder_with_past_model decoder_model_merged; do "$HONE" show fixed/$part.onnx | grep ' = input' | head -3; done
"$HONE" export "$micro" -o one --dynamic-axes none --parts encoder --quiet > /dev/null && "$HONE" show one/encoder_model.onnx | grep ' = input'
try "$micro" -o new --dynamic-axes batch,heads
try "$micro" -o new --dynamic-axes batch --batch-size 2
try "$micro" -o new --dynamic-axes none --parts encoder,merged
try "$micro" -o new --dynamic-axes none --source-tokens 1000
try rows -o new --int8 both
try out/encoder_model.onnx -o new
try nothing -o new
