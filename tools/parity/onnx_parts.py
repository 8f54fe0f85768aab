# SPDX-License-Identifier: Apache-2.0
"""The parts of an exported folder, run by any engine: what onnx_openvino.py and onnx_variants.py share. An engine is a function that
loads a file and gives (shapes of its inputs by name, a function from inputs by name to outputs by name)."""
import json
import pathlib
import subprocess

import numpy as np

FILES = {"encoder": "encoder_model.onnx", "decoder": "decoder_model.onnx", "decoder_with_past": "decoder_with_past_model.onnx",
         "merged": "decoder_model_merged.onnx"}


def past_of(outputs, before):
    """Keys and values for the next step: those of the source stay, a part may give none or empty ones."""
    new = {k.replace("present", "past_key_values"): v for k, v in outputs.items() if k.startswith("present")}
    return {**before, **{k: v for k, v in new.items() if ".decoder." in k or k not in before}}


class Parts:
    def __init__(self, folder, load, names=tuple(FILES)):
        self.parts = {name: load(pathlib.Path(folder) / FILES[name]) for name in names}

    def run(self, name, feeds):
        shapes, call = self.parts[name]
        return call({k: v for k, v in feeds.items() if k in shapes})

    def nothing(self, rows):
        """A past of no use, which the merged part takes on the first step."""
        shapes, _ = self.parts["merged"]
        return {k: np.zeros((rows, *(n if isinstance(n, int) and n > 0 else 1 for n in shape[1:2]), 1,
                             *(n if isinstance(n, int) and n > 0 else 1 for n in shape[3:4])), np.float32)
                for k, shape in shapes.items() if k.startswith("past")}

    def decode(self, way, common, ids, past):
        """Logits and past of a step. way: merged, two (with and without past)."""
        if way == "merged":
            feeds = {**common, **(past or self.nothing(ids.shape[0])), "input_ids": ids, "use_cache_branch": np.array([bool(past)])}
            out = self.run("merged", feeds)
        else:
            out = self.run("decoder_with_past" if past else "decoder", {**common, **(past or {}), "input_ids": ids})
        return out["logits"], past_of(out, past or {})

    def encode(self, ids, mask):
        states = self.run("encoder", {"input_ids": ids, "attention_mask": mask})["last_hidden_state"]
        return {"encoder_attention_mask": mask, "encoder_hidden_states": states}

    def greedy(self, config, source, most, way):
        """Ids without the start token, as hone generate gives them. way: merged, two, or whole (every step from the start)."""
        ids = np.array([source], np.int64)
        common, past, made = self.encode(ids, np.ones_like(ids)), {}, []
        tokens = np.array([[config["decoder_start_token_id"]]], np.int64)
        while len(made) < most:
            if way == "whole":
                logits = self.run("decoder", {**common, "input_ids": tokens})["logits"]
            else:
                logits, past = self.decode(way, common, tokens[:, -1:], past)
            best = int(logits[0, -1].argmax())
            forced = config.get("forced_eos_token_id")
            made.append(forced if forced is not None and len(made) + 1 == most else best)
            tokens = np.append(tokens, [[made[-1]]], 1)
            if made[-1] == config["eos_token_id"]:
                break
        return made

    def forced(self, ids, target, way):
        """Logits of given target ids: in one step, or the first half and then the rest a token at a time."""
        common, past, parts = self.encode(ids, np.ones_like(ids)), {}, []
        if way == "whole":
            return self.run("decoder", {**common, "input_ids": target})["logits"]
        half = target.shape[1] // 2
        for start, end in [(0, half)] + [(i, i + 1) for i in range(half, target.shape[1])]:
            logits, past = self.decode(way, common, target[:, start:end], past)
            parts.append(logits)
        return np.concatenate(parts, 1)


def hone_ids(hone, model, sources, most):
    lines = "".join(json.dumps({"input_ids": ids}) + "\n" for ids in sources)
    answer = subprocess.run([hone, "generate", str(model), "--max-new-tokens", str(most), "--quiet"], input=lines,
                            capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["ids"] for line in answer.splitlines()]


def hone_logits(hone, model, ids, target, scratch):
    np.save(scratch / "source.npy", ids)
    np.save(scratch / "target.npy", target)
    subprocess.run([hone, "run", str(model), "--in", f"input_ids={scratch}/source.npy", "--in",
                    f"decoder_input_ids={scratch}/target.npy", "--out", str(scratch / "out")], check=True, capture_output=True)
    return np.load(scratch / "out" / "logits.npy")


def sources_of(hone, model, data, count, most):
    """Ids of the first texts of a file of rows."""
    texts = [json.loads(line)["dialogue"] for line in pathlib.Path(data).read_text().splitlines()[:count]]
    answer = subprocess.run([hone, "tokenize", str(model), "--quiet"], input="".join(json.dumps(t) + "\n" for t in texts),
                            capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["ids"][:most] for line in answer.splitlines()]
