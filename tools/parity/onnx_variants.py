# SPDX-License-Identifier: Apache-2.0
"""hone export of what hone quantize and hone prune write, run by ONNX Runtime: greedy ids driven through the parts beside those of
hone generate, logits beside hone's, and those of ONNX Runtime's operators for 4 bits (MatMulNBits, MatMulBnb4) beside the same
weights decoded by ONNX's own (--target onnx) and beside hone's own reader of the same files. Int8 rows are exported both as integer
products and dequantized.

Usage: python tools/parity/onnx_variants.py MODEL DATA.jsonl [--hone build/hone] [--inputs 24] [--only int4,ragged]

What hone rounds of activations while it runs (4 bits, and W8A8 where it is dequantized) is f32 in ONNX Runtime, and dynamic integer
products round whole tensors where hone rounds tokens: so logits may differ by what that costs, of the largest. Ids are equal, but
for dynamic integer products: of those as many as EQUAL says, and the others have the words of hone's in common that LIKE says
(ROUGE-L of ids). Ends with 1 where more differs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

from onnx_parts import FILES, Parts, hone_ids, hone_logits, sources_of

onnxruntime.set_default_logger_severity(3)
failures = []
EQUAL, LIKE = 0.9, 0.95
DEQUANTIZED = "-dequantized"  # names' ending: the export is asked for that
# name: command, and how far logits may lie from hone's
VARIANTS = {
    "fp16": (["quantize", "--scheme", "fp16"], 1e-4),
    "int8": (["quantize", "--scheme", "int8"], 2e-2),
    "static": (["quantize", "--scheme", "int8-static"], 2e-2),
    "int8-dequantized": (["quantize", "--scheme", "int8"], 2e-2),
    "static-dequantized": (["quantize", "--scheme", "int8-static"], 2e-2),
    "int4": (["quantize", "--scheme", "int4"], 2e-2),
    "int4-32": (["quantize", "--scheme", "int4", "--group", "32"], 2e-2),
    "nf4": (["quantize", "--scheme", "nf4"], 2e-2),
    "nf4-double": (["quantize", "--scheme", "nf4", "--double-quant"], 2e-2),
    "ragged-heads": (["prune", "--method", "heads", "--mode", "ragged", "--amount", "0.3"], 1e-4),
    "ragged-ffn": (["prune", "--method", "ffn", "--mode", "ragged", "--amount", "0.3"], 1e-4),
    "layers": (["prune", "--method", "layers", "--amount", "1"], 1e-4),
}


def say(good, text):
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        failures.append(text)


def load(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return {i.name: i.shape for i in session.get_inputs()}, lambda feeds: dict(zip(names, session.run(names, feeds)))


def size_of(folder):
    return sum(p.stat().st_size for p in folder.glob("*.onnx*"))


def apart(got, wanted):
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


def likeness(a, b):
    """ROUGE-L: F1 of the longest ids in common."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = row[:]
        for i, y in enumerate(b):
            row[i + 1] = before[i] + 1 if x == y else max(before[i + 1], row[i])
    return 2 * row[-1] / (len(a) + len(b))


def four_bits(parts, plain, ids, target, name):
    """ONNX Runtime's operators against the same weights decoded."""
    kept, decoded = parts.forced(ids, target, "two"), plain.forced(ids, target, "two")
    # hone's table of NF4 is rounded (quantize4.h), ONNX Runtime's is not
    bound = 2e-2 if "nf4" in name else 1e-4
    say(apart(kept, decoded) <= bound, f"{name}: 4-bit operators and decoded weights differ by {apart(kept, decoded):.2e}")


def read_again(hone, folder, parts, ids, name, scratch):
    """The encoder in hone's own reader beside ONNX Runtime."""
    mask = np.ones_like(ids)
    np.save(scratch / "ids.npy", ids)
    np.save(scratch / "mask.npy", mask)
    subprocess.run([hone, "run", str(folder / FILES["encoder"]), "--in", f"input_ids={scratch}/ids.npy", "--in",
                    f"attention_mask={scratch}/mask.npy", "--out", str(scratch / "own")], check=True, capture_output=True)
    own = np.load(scratch / "own" / "last_hidden_state.npy")
    difference = apart(own, parts.encode(ids, mask)["encoder_hidden_states"])
    say(difference <= 1e-4, f"{name}: hone run of the encoder's file and ONNX Runtime differ by {difference:.2e}")


def check(arguments, name, model, sources, scratch):
    hone, (_, bound) = arguments.hone, VARIANTS[name]
    config = json.loads((model / "config.json").read_text())
    folders = {target: scratch / f"{name}-{target}" for target in ("ort", "onnx")}
    for target, folder in folders.items():
        subprocess.run([hone, "export", str(model), "-o", str(folder), "--target", target, "--int8",
                        "dequantize" if name.endswith(DEQUANTIZED) else "integer"], check=True, stdout=subprocess.DEVNULL)
    for file in FILES.values():
        onnx.checker.check_model(str(folders["onnx"] / file), full_check=True)
    weights, size = (model / "model.safetensors").stat().st_size, size_of(folders["ort"])
    print(f"     {name}: {weights} bytes of weights, {size} of all parts ({size / weights:.3f})")
    parts, plain = Parts(folders["ort"], load), Parts(folders["onnx"], load, ("encoder", "decoder", "decoder_with_past"))
    expected = hone_ids(hone, model, sources, arguments.most)
    ids, target = np.array([sources[0]], np.int64), np.array([[config["decoder_start_token_id"]] + expected[0][:9]], np.int64)
    wanted = hone_logits(hone, model, ids, target, scratch)
    for way in ("two", "merged"):
        difference = apart(parts.forced(ids, target, way), wanted)
        say(difference <= bound, f"{name} {way}: logits differ from hone's by {difference:.2e} of the largest")
        got = [parts.greedy(config, s, arguments.most, way) for s in sources]
        same, like = sum(a == b for a, b in zip(got, expected)), float(np.mean([likeness(*pair) for pair in zip(got, expected)]))
        good = same >= EQUAL * len(expected) and like >= LIKE if name == "int8" else same == len(expected)
        say(good, f"{name} {way}: greedy ids of {same} of {len(expected)} inputs are hone generate's, ROUGE-L of ids {like:.4f}")
    read_again(hone, folders["ort"], parts, ids, name, scratch)
    if "4" in name:
        four_bits(parts, plain, ids, target, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--inputs", type=int, default=24)
    parser.add_argument("--most", type=int, default=24, help="new tokens")
    parser.add_argument("--only", default=",".join(VARIANTS))
    arguments = parser.parse_args()
    config = json.loads((arguments.model / "config.json").read_text())
    sources = sources_of(arguments.hone, arguments.model, arguments.data, arguments.inputs, config["max_position_embeddings"])
    with tempfile.TemporaryDirectory() as text:
        scratch = pathlib.Path(text)
        for name in arguments.only.split(","):
            words = list(VARIANTS[name][0])
            if name.startswith("static"):
                words += ["--calibration", str(arguments.data)]
            subprocess.run([arguments.hone, words[0], str(arguments.model), "-o", str(scratch / name), *words[1:], "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)
            check(arguments, name, scratch / name, sources, scratch)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
