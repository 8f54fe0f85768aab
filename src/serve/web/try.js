// SPDX-License-Identifier: Apache-2.0
// The box to try a dialogue: asks as any client does, and shows what the server says about its time.
import { ask } from "/dashboard/ask.js";
import { at, make, short, timeText } from "/dashboard/text.js";

let stopping = null;

function body(model) {
  const asked = { model, input: at("try-text").value, stream: true };
  if (at("try-most").value)
    asked.max_tokens = Number(at("try-most").value);
  if (at("try-beams").value)
    asked.num_beams = Number(at("try-beams").value);
  return JSON.stringify(asked);
}

// The events of a stream, or one whole answer where the server sends that.
async function* answers(response) {
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    yield await response.json();
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split("\n").filter(line => line.startsWith("data:")).map(line => line.slice(5).trim());
      if (data.length && data[0] !== "[DONE]")
        yield JSON.parse(data.join("\n"));
    }
    if (done)
      return;
  }
}

const piece = answer => answer.delta ?? answer.summaries?.[0]?.summary ?? "";

function facts(answer, seen) {
  const timings = answer.timings ?? {}, tokens = answer.usage?.completion_tokens ?? timings.new_tokens;
  const ms = value => Number.isFinite(value) ? timeText(value / 1000) : null;
  const source = answer.source_tokens ?? answer.summaries?.[0]?.source_tokens ?? answer.usage?.prompt_tokens;
  const decode = timings.decode_ms > 0 && tokens > 1 ? `${short(tokens / timings.decode_ms * 1000)} tokens/s` : null;
  const truncated = answer.truncated ?? answer.summaries?.[0]?.truncated;
  const finish = answer.finish_reason ?? answer.summaries?.[0]?.finish_reason;
  const list = [
    ["Source", Number.isFinite(source) ? `${source} tokens${truncated ? ", cut" : ""}` : null],
    ["Output", Number.isFinite(tokens) ? `${tokens} tokens` : null],
    ["Waited", ms(timings.queue_ms)],
    ["Encoded in", ms(timings.encode_ms)],
    ["First token after", ms(timings.first_token_ms)],
    ["Decoded in", ms(timings.decode_ms)],
    ["Speed", decode],
    ["Server’s total", ms(timings.total_ms)],
    ["Seen from here", timeText((performance.now() - seen) / 1000)],
    ["Ended by", { stop: "the model", length: "the limit", cancelled: "being cancelled" }[finish] ?? finish],
  ];
  return list.filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

function fail(text) {
  at("try-answer").classList.add("failed");
  at("try-output").textContent = text;
}

async function send(model) {
  const begun = performance.now(), output = at("try-output");
  stopping = new AbortController();
  at("try-answer").hidden = false;
  at("try-answer").classList.remove("failed");
  at("try-facts").replaceChildren();
  output.textContent = "…";
  let text = "", last = {};
  const response = await ask("/v1/summarize", { method: "POST", body: body(model), signal: stopping.signal,
    headers: { "Content-Type": "application/json" } });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    fail(told.error?.message ?? told.error ?? `The server answered ${response.status}.`);
    return;
  }
  for await (const answer of answers(response)) {
    if (answer.error) {
      fail(answer.error.message ?? String(answer.error));
      return;
    }
    text += piece(answer);
    output.textContent = text;
    last = { ...last, ...Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== null)) };
  }
  if (!text)
    output.textContent = "The summary is empty.";
  at("try-facts").replaceChildren(...facts(last, begun));
}

export function prepareTry(model) {
  at("try-stop").addEventListener("click", () => stopping?.abort());
  at("try-form").addEventListener("submit", async event => {
    event.preventDefault();
    at("try-send").disabled = true;
    at("try-stop").hidden = false;
    try {
      await send(model());
    } catch (error) {
      if (error.name === "AbortError")
        at("try-output").textContent += " (stopped)";
      else
        fail(`The server cannot be reached: ${error.message}`);
    } finally {
      at("try-send").disabled = false;
      at("try-stop").hidden = true;
    }
  });
}
