# SPDX-License-Identifier: Apache-2.0
"""Writes fuzz/corpus/onnx_import: a tiny BART as one ONNX graph, by PyTorch's two exporters and quantized by ONNX Runtime.

Usage: $(sh tools/oracle.sh onnx==1.19.1 onnxruntime onnxscript) tools/goldens/model/onnx_seeds.py
"""
import pathlib
import tempfile

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BartConfig, BartForConditionalGeneration

CORPUS = pathlib.Path(__file__).parents[3] / "fuzz" / "corpus" / "onnx_import"
NAMES = ["input_ids", "attention_mask", "decoder_input_ids"]


class Whole(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, decoder_ids):
        return self.model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids, use_cache=False).logits


def main():
    torch.manual_seed(0)
    CORPUS.mkdir(parents=True, exist_ok=True)
    model = BartForConditionalGeneration(
        BartConfig(vocab_size=6, d_model=4, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                   encoder_ffn_dim=3, decoder_ffn_dim=3, max_position_embeddings=6)).eval()
    ids, mask = torch.full((3, 5), 3), torch.ones(3, 5, dtype=torch.long)
    args = (ids, mask, ids[:, :4].clone())
    with tempfile.TemporaryDirectory() as folder:
        dims = [torch.export.Dim("batch"), torch.export.Dim("source"), torch.export.Dim("target")]
        shapes = ({0: dims[0], 1: dims[1]}, {0: dims[0], 1: dims[1]}, {0: dims[0], 1: dims[2]})
        torch.onnx.export(Whole(model), args, f"{folder}/dynamo.onnx", input_names=NAMES, output_names=["logits"], dynamo=True,
                          dynamic_shapes=shapes, verbose=False, external_data=False)
        for attention in ("eager", "sdpa"):
            model.set_attn_implementation(attention)
            path = f"{folder}/{attention}.onnx"
            axes = {name: {0: "batch", 1: "target" if "decoder" in name else "source"} for name in NAMES}
            torch.onnx.export(Whole(model), args, path, input_names=NAMES, output_names=["logits"], dynamo=False, dynamic_axes=axes,
                              opset_version=17)
        quantize_dynamic(f"{folder}/eager.onnx", f"{folder}/int8.onnx", weight_type=QuantType.QInt8)
        for name in ("eager", "sdpa", "dynamo", "int8"):
            read = onnx.load(f"{folder}/{name}.onnx")
            for node in read.graph.node:
                node.ClearField("doc_string")
                del node.metadata_props[:]
            del read.graph.value_info[:]
            del read.metadata_props[:]
            (CORPUS / name).write_bytes(read.SerializeToString())


if __name__ == "__main__":
    main()
