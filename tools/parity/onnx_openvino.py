# SPDX-License-Identifier: Apache-2.0
"""hone export in OpenVINO: it loads every part as it is, gives hone's logits, and greedy generation driven through it gives the ids
of hone generate: with the merged decoder, with the two decoders, and without a past.

Usage: python tools/parity/onnx_openvino.py MODEL DATA.jsonl [--hone build/hone] [--opsets 14,22] [--inputs 24] [--tolerance 1e-4]
Ends with 1 where anything differs. Weights and activations are kept as they are (INFERENCE_PRECISION_HINT f32).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import openvino

from onnx_parts import FILES, Parts, hone_ids, hone_logits, sources_of

core = openvino.Core()
failures = []


def say(good, text):
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        failures.append(text)


def load(path):
    model = core.read_model(path)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2})
    shapes = {port.get_any_name(): [d.get_length() if d.is_static else -1 for d in port.get_partial_shape()]
              for port in compiled.inputs}
    request = compiled.create_infer_request()

    def call(feeds):
        request.infer(feeds)
        return {port.get_any_name(): np.array(request.get_tensor(port).data) for port in compiled.outputs}
    return shapes, call


def check(arguments, folder, name, sources, expected):
    config = {**json.loads((arguments.model / "config.json").read_text())}
    parts = {}
    for part in FILES:
        try:
            parts[part] = load(folder / FILES[part])
        except RuntimeError as error:
            say(False, f"{name} {part}: OpenVINO does not load it: {error}")
    if len(parts) < len(FILES):
        return
    runner = Parts(folder, load, ())
    runner.parts = parts
    ids = np.array([sources[0]], np.int64)
    target = np.array([[config["decoder_start_token_id"]] + expected[0][:9]], np.int64)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = hone_logits(arguments.hone, arguments.model, ids, target, pathlib.Path(scratch))
    for way in ("whole", "two", "merged"):
        difference = float(np.abs(runner.forced(ids, target, way) - wanted).max())
        say(difference <= arguments.tolerance, f"{name} {way}: logits differ from hone's by at most {difference:.2e}")
        got = [runner.greedy(config, source, arguments.most, way) for source in sources]
        same = sum(a == b for a, b in zip(got, expected))
        say(same == len(expected), f"{name} {way}: greedy ids of {same} of {len(expected)} inputs are hone generate's")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--opsets", default="14,22")
    parser.add_argument("--inputs", type=int, default=24)
    parser.add_argument("--most", type=int, default=24, help="new tokens")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    print(f"OpenVINO {openvino.__version__}")
    config = json.loads((arguments.model / "config.json").read_text())
    sources = sources_of(arguments.hone, arguments.model, arguments.data, arguments.inputs, config["max_position_embeddings"])
    expected = hone_ids(arguments.hone, arguments.model, sources, arguments.most)
    with tempfile.TemporaryDirectory() as scratch:
        for opset in arguments.opsets.split(","):
            folder = pathlib.Path(scratch) / opset
            subprocess.run([arguments.hone, "export", str(arguments.model), "-o", str(folder), "--opset", opset], check=True,
                           stdout=subprocess.DEVNULL)
            check(arguments, folder, f"opset {opset}", sources, expected)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
