#!/bin/sh
# Compares build/hone with the reference implementations, over data beside the repository (../shared) and the demo's own. Ends
# with 1 when anything differs that must not.
set -u
cd "$(dirname "$0")/../.."
hone=$PWD/build/hone
shared=$PWD/../shared
python=$(sh tools/oracle.sh openai 'tritonclient[http]' huggingface_hub onnx==1.19.1 onnxruntime onnxscript optimum==2.1.0 \
    optimum-onnx openvino) || exit 1
failed=0

part() {
    echo "== $*"
    "$@" || { failed=1; echo "== failed: $*"; }
}

part "$python" tools/parity/generation.py "$hone" demo/model demo/test.jsonl --least-equal 499
part "$python" tools/parity/generation.py "$hone" demo/model demo/test.jsonl --beams 4 --no-repeat-ngram-size 3 --least-equal 497
part "$python" tools/parity/quantized.py "$hone" demo/model
part "$python" tools/parity/pruned.py "$hone" demo/model demo/test.jsonl
part "$python" tools/parity/serving.py "$hone" demo/model demo/test.jsonl
part "$python" tools/parity/onnx_export.py demo/model --hone "$hone"
part "$python" tools/parity/onnx_import.py --hone "$hone"
part "$python" tools/parity/onnx_variants.py demo/model demo/test.jsonl --hone "$hone"
part "$python" tools/parity/onnx_openvino.py demo/model demo/test.jsonl --hone "$hone"
part "$python" tools/parity/onnx_fusions.py --hone "$hone"
part "$python" tools/parity/onnx_plain.py --hone "$hone"
part "$python" tools/parity/onnx_float16.py --hone "$hone"
part "$python" tools/parity/onnx_engines.py --hone "$hone"
part "$python" tools/parity/onnx_generate.py demo/model demo/test.jsonl --hone "$hone"
if [ -d "$shared" ]; then
    part "$python" tools/parity/rouge.py "$hone" "$shared/data/dialogsum"
    part "$python" tools/parity/text.py --hone "$hone"
    part "$python" tools/parity/onnx_node.py "$shared/data/onnx-node" --hone "$hone" --least 867
    part "$python" tools/parity/onnx_write.py "$shared/data/onnx-node" --hone "$hone"
    part "$python" tools/parity/vocabulary.py "$hone" demo/model "$shared"
    part "$python" tools/parity/quantized.py "$hone" "$shared/data/models/bart-g2p-us"
    test=$shared/data/dialogsum/test.jsonl
    part "$python" tools/parity/generation.py "$hone" demo/model "$test" --least-equal 499
    part "$python" tools/parity/generation.py "$hone" demo/model "$test" --beams 4 --no-repeat-ngram-size 3 --least-equal 497
    model=$shared/data/models/bart-g2p-us
    part "$hone" eval "$model" "$model/words.jsonl" --max-length 64
else
    part "$python" tools/parity/vocabulary.py "$hone" demo/model
    echo "== skipped: everything over $shared, which is not here"
fi
exit $failed
