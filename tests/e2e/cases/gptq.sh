# int4 by second order: every linear of the demo's model keeps its outputs better than rounded to nearest.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
data=$SOURCE/demo/dev.jsonl
"$HONE" quantize "$model" -o out --scheme int4 --gptq --calibration "$data" --calibration-samples 6 --quiet > table || exit
awk '/_proj|\.fc[12]/ { rows++; better += $NF < 1 } END { print better " of " rows " linears are nearer" }' table
awk '/^largest/ { print $NF < 1 ? "all are" : "not all are" }' table
"$HONE" verify out | sed -n 1p
grep -o '"gptq": true' out/hone.json
for options in "--scheme int4 --gptq" "--scheme int8 --gptq --calibration $data" "--scheme int4 --calibration $data"; do
    "$HONE" quantize "$model" -o no $options 2> err
    echo "exit $? $(cat err)"
done
