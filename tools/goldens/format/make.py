#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/format/: small files made by torch, safetensors and numpy themselves, which the tests of src/format read.

Run with torch, safetensors and numpy installed (the files here: torch 2.13.0, safetensors 0.8.0, numpy 2.4.6) and Debian's
protoc-c and libonnx-dev (for the TensorProto files):

    python3 tools/goldens/format/make.py tests/golden/format

What the files must contain is not stored beside them as numbers but follows a rule that the tests know too: `fill(shape,
dtype, seed)`, element i = (7 * i + seed) mod 61 - 20 as that dtype (absolute value for unsigned ones, parity for bool).
"""
import argparse
import collections
import io
import json
import pathlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

warnings.simplefilter("ignore")
torch.set_num_threads(1)

DTYPES = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64,
    "i32": torch.int32, "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8, "u16": torch.uint16,
    "u32": torch.uint32, "u64": torch.uint64, "bool": torch.bool,
}


def fill(shape, dtype="f32", seed=0):
    values = (7 * torch.arange(int(np.prod(shape)), dtype=torch.int64) + seed) % 61 - 20
    if dtype.startswith("u"):
        values = values.abs()
    if dtype == "bool":
        values = values % 2
    return values.reshape(shape).to(DTYPES[dtype])


def every_dtype():
    return {f"{name}.weight": fill((2, 3), name, seed) for seed, name in enumerate(DTYPES)}


def strided():
    base = fill((4, 6), "f32", 5)
    tied = fill((3, 2), "f32", 9)
    return {
        "base": base,
        "transposed": base.t(),
        "window": base[1:3, 2:5],
        "steps": base[::2, ::3],
        "row": base[2],
        "expanded": base[0:1, 0:1].expand(3, 2),
        "tied.a": tied,
        "tied.b": tied,
        "scalar": fill((), "f32", 3),
        "empty": fill((0, 4), "f32", 0),
        "cube.permuted": fill((2, 3, 4), "f16", 1).permute(2, 0, 1),
    }


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(3, 2)
        self.fc2 = torch.nn.Linear(2, 4, bias=False)
        self.emb = torch.nn.Embedding(5, 4)
        with torch.no_grad():
            self.fc1.weight.copy_(fill((2, 3)) / 20)
            self.fc1.bias.copy_(fill((2,), seed=2) / 4)
            self.fc2.weight.copy_(fill((4, 2), seed=4) / 10)
            self.emb.weight.copy_(fill((5, 4), seed=6) / 16)


def quantized(qconfig):
    from torch.ao.quantization import float_qparams_weight_only_qconfig, quantize_dynamic
    torch.backends.quantized.engine = "qnnpack" if "qnnpack" in torch.backends.quantized.supported_engines else "fbgemm"
    net = Net().eval()
    spec = {torch.nn.Linear: qconfig}
    if qconfig is not torch.ao.quantization.default_dynamic_qconfig:
        spec[torch.nn.Embedding] = float_qparams_weight_only_qconfig
    return quantize_dynamic(net, spec)


def plain(state):
    """What a quantized state dict means: name -> [dtype, shape, values] for the tests."""
    expected = {}
    for key, value in state.items():
        if not key.endswith(("_packed_params._packed_params", "_packed_params._packed_weight")):
            continue
        weight, bias = value if isinstance(value, tuple) else (value, None)
        name = key[:key.index("_packed_params")] + "weight"
        expected[name] = weight.int_repr().flatten().tolist()
        per_channel = weight.qscheme() not in (torch.per_tensor_affine, torch.per_tensor_symmetric)
        expected[name + ".scales"] = weight.q_per_channel_scales().tolist() if per_channel else [weight.q_scale()]
        expected[name + ".zero_points"] = weight.q_per_channel_zero_points().tolist() if per_channel else [weight.q_zero_point()]
        if bias is not None:
            expected[name[:-6] + "bias"] = bias.detach().tolist()
    return expected


def trainer():
    net = Net()
    return {
        "epoch": 3,
        "lr": np.float64(0.5),
        "loss": np.float32(1.25),
        "args": argparse.Namespace(batch=8, names=["a", "b"], path=pathlib.PurePosixPath("/tmp/x")),
        "history": collections.defaultdict(list, {"loss": [1.0, 0.5]}),
        "optimizer": {"state": {0: {"exp_avg": fill((2, 3), seed=8)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "state_dict": collections.OrderedDict(
            [("fc1.weight", net.fc1.weight), ("fc1.bias", net.fc1.bias), ("count", 7), ("kept.weight", net.fc2.weight.detach())]),
    }


def shards(folder, save, name, index, ending):
    parts = {f"{name}-00001-of-00002.{ending}": {"a.weight": fill((2, 3)), "b.weight": fill((4,), "f16", 3)},
             f"{name}-00002-of-00002.{ending}": {"c.weight": fill((3, 3), "bf16", 5)}}
    folder.mkdir(exist_ok=True)
    for file, tensors in parts.items():
        save(tensors, folder / file)
    text = {"metadata": {"total_size": 24 + 8 + 18}, "weight_map": {t: f for f, ts in parts.items() for t in ts}}
    (folder / index).write_text(json.dumps(text, indent=2) + "\n")


# ONNX's number of each dtype, and the field its elements are in when they are not raw.
PROTO_TYPES = {"f32": (1, "float_data"), "u8": (2, "int32_data"), "i8": (3, "int32_data"), "u16": (4, "int32_data"),
               "i16": (5, "int32_data"), "i32": (6, "int32_data"), "i64": (7, "int64_data"), "bool": (9, "int32_data"),
               "f16": (10, "int32_data"), "f64": (11, "double_data"), "u32": (12, "uint64_data"), "u64": (13, "uint64_data"),
               "bf16": (16, "int32_data")}


def tensor_proto(path, text):
    """Has protobuf itself encode a TensorProto that is given in its text format."""
    data = subprocess.run(["protoc-c", "--encode=onnx.TensorProto", "-I/usr/include/onnx", "onnx.proto"], cwd="/usr/include/onnx",
                          input=text.encode(), capture_output=True, check=True).stdout
    path.write_bytes(data)


def tensor_protos(out):
    for name, (number, field) in PROTO_TYPES.items():
        head = f'dims: 2 dims: 3 data_type: {number} name: "{name}"\n'
        tensor = fill((2, 3), name)
        raw = tensor.view(torch.uint8 if tensor.dtype != torch.bool else torch.bool).numpy().tobytes()
        tensor_proto(out / f"{name}.raw.pb", head + 'raw_data: "' + "".join(f"\\x{b:02x}" for b in raw) + '"')
        bits = tensor.view(torch.uint16) if name in ("f16", "bf16") else tensor.to(torch.int32) if name == "bool" else tensor
        tensor_proto(out / f"{name}.typed.pb", head + "".join(f"{field}: {v}\n" for v in bits.flatten().tolist()))
    tensor_proto(out / "scalar.pb", "data_type: 1 float_data: -17")
    tensor_proto(out / "empty.pb", 'dims: 0 dims: 4 data_type: 7 doc_string: "nothing"')
    tensor_proto(out / "external.pb", 'dims: 2 data_type: 1 external_data { key: "location" value: "x.bin" } data_location: EXTERNAL')
    tensor_proto(out / "strings.pb", 'dims: 1 data_type: 8 string_data: "a"')


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for protocol in (2, 3, 4, 5):
        torch.save(every_dtype(), out / f"every_dtype.p{protocol}.pt", pickle_protocol=protocol)
    legacy_dtypes = {k: v for k, v in every_dtype().items() if k[:3] not in ("u16", "u32", "u64")}
    for protocol in (2, 4):
        torch.save(legacy_dtypes, out / f"every_dtype.legacy.p{protocol}.bin", pickle_protocol=protocol,
                   _use_new_zipfile_serialization=False)
    torch.save(strided(), out / "strided.pt")
    torch.save(strided(), out / "strided.legacy.bin", _use_new_zipfile_serialization=False)
    expected = {}
    for name, qconfig in (("tensor", torch.ao.quantization.default_dynamic_qconfig),
                          ("channel", torch.ao.quantization.per_channel_dynamic_qconfig)):
        state = quantized(qconfig).state_dict()
        torch.save(state, out / f"dynamic_int8.per_{name}.pt")
        torch.save(state, out / f"dynamic_int8.per_{name}.legacy.bin", _use_new_zipfile_serialization=False)
        expected[f"per_{name}"] = plain(state)
    (out / "dynamic_int8.json").write_text(json.dumps(expected, indent=1) + "\n")
    torch.save(quantized(torch.ao.quantization.default_dynamic_qconfig).fc1.state_dict(), out / "dynamic_int8.bare_linear.pt")
    torch.save(trainer(), out / "trainer.pt")
    torch.save(trainer(), out / "trainer.legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"p": torch.nn.Parameter(fill((2, 2))), "b": torch.nn.Buffer(fill((3,), seed=1))}, out / "parameters.pt")
    torch.save(Net(), out / "whole_model.pt")
    torch.save({"w": fill((2, 2)).to_sparse()}, out / "sparse.pt")
    torch.save({"w": fill((2, 2)).to(torch.complex64)}, out / "complex.pt")
    torch.jit.script(torch.nn.Linear(2, 2)).save(out / "script.pt")
    (out / "plain.pickle").write_bytes(pickle.dumps({"w": [1, 2, 3]}, protocol=4))

    odd = {**every_dtype(), "scalar": fill((), "f32", 3), "empty": fill((0, 4), "f16", 0), "name \"ä\"\t\\": fill((1,), "i8", 4)}
    save_file(odd, out / "every_dtype.safetensors", metadata={"format": "pt"})
    save_file({"a": fill((2,))}, out / "no_metadata.safetensors")
    shards(out / "shards", lambda t, p: save_file(t, p, metadata={"format": "pt"}), "model", "model.safetensors.index.json", "safetensors")
    shards(out / "bin_shards", torch.save, "pytorch_model", "pytorch_model.bin.index.json", "bin")

    for name in DTYPES:
        if name != "bf16":
            np.save(out / f"{name}.npy", fill((2, 3), name).numpy())
    np.save(out / "fortran.npy", np.asfortranarray(fill((2, 3, 4)).numpy()))
    np.save(out / "scalar.npy", fill((), "f32", 3).numpy())
    np.save(out / "empty.npy", fill((0, 4), "f32").numpy())
    for version in ((2, 0), (3, 0)):
        file = io.BytesIO()
        np.lib.format.write_array(file, fill((5,), "i64").numpy(), version=version)
        (out / f"version{version[0]}.npy").write_bytes(file.getvalue())
    np.save(out / "big_endian.npy", fill((2,)).numpy().astype(">f4"))
    np.save(out / "text.npy", np.array(["ab", "c"]))
    np.save(out / "records.npy", np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))

    tensor_protos(out)


if __name__ == "__main__":
    main()
