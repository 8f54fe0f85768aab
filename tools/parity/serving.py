#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clients that people have against `hone serve`: OpenAI's, Triton's (KServe v2) and Hugging Face's, each through its
normal calls. What they get has to be what `hone generate` gives for the same text.

    python tools/parity/serving.py build/hone demo/model demo/test.jsonl

Needs openai, tritonclient[http] and huggingface_hub. Ends with 1 when a call fails or an answer differs.
"""
import json
import subprocess
import sys

import numpy
import openai
import tritonclient.http
from huggingface_hub import InferenceClient

ROWS = 6


class Server:
    def __init__(self, hone, model):
        self.process = subprocess.Popen([hone, "serve", model, "--port", "0", "--name", "demo", "--log", "/dev/null",
                                         "--no-history"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]

    def stop(self):
        self.process.terminate()
        return self.process.wait()


failed = 0


def check(what, found, wanted):
    global failed
    good = found == wanted
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}" + ("" if good else f": {found!r}, expected {wanted!r}"))


def expected(hone, model, texts):
    lines = "\n".join(json.dumps({"text": text}) for text in texts)
    out = subprocess.run([hone, "generate", model], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["text"] for line in out.splitlines()]


def openai_calls(url, texts, wanted):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none")
    check("openai: models.list", [m.id for m in client.models.list().data], ["demo"])
    check("openai: models.retrieve", client.models.retrieve("demo").id, "demo")
    for text, want in zip(texts, wanted):
        check("openai: completions", client.completions.create(model="demo", prompt=text).choices[0].text, want)
    several = client.completions.create(model="demo", prompt=texts)
    check("openai: completions of several prompts", [c.text for c in several.choices], wanted)
    check("openai: usage", several.usage.total_tokens, several.usage.prompt_tokens + several.usage.completion_tokens)
    chat = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": texts[0]}])
    check("openai: chat.completions", chat.choices[0].message.content, wanted[0])
    pieces, usage = [], None
    for event in client.chat.completions.create(model="demo", messages=[{"role": "user", "content": texts[0]}], stream=True,
                                                stream_options={"include_usage": True}):
        pieces += [choice.delta.content or "" for choice in event.choices]
        usage = event.usage or usage
    check("openai: chat stream", "".join(pieces), wanted[0])
    check("openai: chat stream's usage", usage.completion_tokens, chat.usage.completion_tokens)
    stream = client.completions.create(model="demo", prompt=texts[1], stream=True, max_tokens=8)
    short = client.completions.create(model="demo", prompt=texts[1], max_tokens=8)
    check("openai: completion stream", "".join(e.choices[0].text for e in stream if e.choices), short.choices[0].text)
    check("openai: finish_reason", short.choices[0].finish_reason, "length")
    for what, kind, call in [
        ("unknown model", openai.NotFoundError, lambda: client.completions.create(model="other", prompt="x")),
        ("bad field", openai.BadRequestError, lambda: client.completions.create(model="demo", prompt="x", max_tokens=-1)),
    ]:
        try:
            call()
            check(f"openai: {what}", "no error", kind.__name__)
        except openai.APIStatusError as error:
            check(f"openai: {what}", type(error), kind)


def kserve_calls(url, texts, wanted):
    client = tritonclient.http.InferenceServerClient(url.removeprefix("http://"))
    check("kserve: live, ready", (client.is_server_live(), client.is_server_ready(), client.is_model_ready("demo")),
          (True, True, True))
    check("kserve: server metadata", client.get_server_metadata()["name"], "hone")
    check("kserve: model metadata", client.get_model_metadata("demo")["outputs"][0]["name"], "text")
    tensor = tritonclient.http.InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(numpy.array(texts, dtype=object), binary_data=False)
    output = tritonclient.http.InferRequestedOutput("text", binary_data=False)
    answer = client.infer("demo", [tensor], outputs=[output], request_id="seven")
    check("kserve: infer", [str(t, "utf-8") if isinstance(t, bytes) else t for t in answer.as_numpy("text")], wanted)
    check("kserve: id", answer.get_response()["id"], "seven")
    try:
        client.infer("other", [tensor])
        check("kserve: unknown model", "no error", "an error")
    except tritonclient.utils.InferenceServerException as error:
        check("kserve: unknown model", "other" in str(error), True)


def hugging_face_calls(url, texts, wanted):
    check("huggingface_hub: summarization",
          InferenceClient(model=url + "/v1/summarize").summarization(texts[0]).summary_text, wanted[0])
    check("huggingface_hub: text_generation",
          InferenceClient(model=url + "/generate").text_generation(texts[0], max_new_tokens=64), wanted[0])
    stream = InferenceClient(model=url + "/generate_stream").text_generation(texts[0], max_new_tokens=64, stream=True)
    check("huggingface_hub: text_generation stream", "".join(stream), wanted[0])


def main():
    hone, model, rows = sys.argv[1:4]
    texts = [json.loads(line)["dialogue"] for _, line in zip(range(ROWS), open(rows, encoding="utf-8"))]
    wanted = expected(hone, model, texts)
    server = Server(hone, model)
    try:
        openai_calls(server.url, texts, wanted)
        kserve_calls(server.url, texts, wanted)
        hugging_face_calls(server.url, texts, wanted)
    finally:
        check("the server ends well", server.stop(), 0)
    return failed != 0


sys.exit(main())
