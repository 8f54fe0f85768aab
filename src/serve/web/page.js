// SPDX-License-Identifier: Apache-2.0
// The page: reads the state once, then lives on one event a second.
import { ask, setKey } from "/dashboard/ask.js";
import { addSample, buildCharts, setHistory } from "/dashboard/charts.js";
import { showCard, showOperators, showSettings } from "/dashboard/model.js";
import { at, bytes, count, duration, make, percent, say, short, timeText } from "/dashboard/text.js";
import { prepareTry } from "/dashboard/try.js";

const REREAD_MS = 15000, REREAD_MINUTES_MS = 60000; // operators and the model; the history of minutes
let model = new URLSearchParams(location.search).get("model"), span = "15m", limits = {};

async function askJson(path) {
  const response = await ask(path);
  if (!response.ok)
    throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

function live(text, kind) {
  say(at("live"), text);
  at("live").className = `badge ${kind}`;
}

function figure(id, [text, unit], note = "") {
  const wanted = text + unit;
  if (at(id).textContent !== wanted)
    at(id).replaceChildren(text, ...(unit ? [make("small", {}, unit)] : []));
  say(at(`${id}-note`), note);
}

function showTiles(now, server) {
  const none = Number.isFinite(now.first_token_p50_s ?? NaN) ? "" : "no requests just now";
  figure("tile-tokens", [short(now.generated_tokens_per_s), "tokens/s"], `${short(now.requests_per_s)} requests/s`);
  figure("tile-first", duration(now.first_token_p50_s), none || `99 % within ${timeText(now.first_token_p99_s)}`);
  figure("tile-token", duration(now.token_p50_s), none || `99 % within ${timeText(now.token_p99_s)}`);
  figure("tile-queue", [short(now.queued_requests), "requests"], `${short(now.queued_tokens)} tokens`);
  const rows = Number.isFinite(now.rows_per_step ?? NaN) ? `${short(now.rows_per_step)} rows a step` : "no steps just now";
  figure("tile-running", [short(now.running_requests), limits.requests ? `of ${limits.requests}` : "requests"], rows);
  const limit = server.memory_limit_bytes > 0 ? `of ${bytes(server.memory_limit_bytes).join("\u00a0")}, ` : "";
  figure("tile-memory", bytes(server.resident_bytes), `${limit}K/V ${percent(now.kv_used_share)}`);
}

// "3 (2 queue full, 1 deadline)"
function parts(values) {
  const all = Object.entries(values).filter(([, value]) => value > 0);
  const total = all.reduce((sum, [, value]) => sum + value, 0);
  return total ? `${count(total)} (${all.map(([name, value]) => `${count(value)} ${name.replaceAll("_", " ")}`).join(", ")})` : "0";
}

function showFacts(totals) {
  const encoded = totals.encoded_tokens, cached = totals.encoder_cache_hits + totals.encoder_cache_misses;
  const steps = Object.values(totals.step_s).reduce((sum, value) => sum + value, 0);
  const split = steps > 0 ? Object.entries(totals.step_s).map(([name, value]) => `${name} ${percent(value / steps)}`).join(", ") : "\u2013";
  const facts = [
    ["Answered", parts(totals.finished)],
    ["Turned away", parts(totals.rejected)],
    ["Cancelled while", parts(totals.cancelled)],
    ["Failed", count(totals.failed)],
    ["Deadlines missed", count(totals.deadlines_missed)],
    ["Tokens read, generated", `${short(totals.source_tokens)}, ${short(totals.generated_tokens)}`],
    ["Encoder steps", `${short(totals.encode_steps)}${totals.encode_steps ? `, ${short(encoded / totals.encode_steps)} tokens each` : ""}`],
    ["Decoder steps", short(totals.decode_steps)],
    ["Padding avoided", encoded + totals.padding_avoided_tokens > 0
      ? `${percent(totals.padding_avoided_tokens / (encoded + totals.padding_avoided_tokens))} of a padded batch` : "\u2013"],
    ["Encoder cache", cached ? `${percent(totals.encoder_cache_hits / cached)} of ${short(cached)} sources` : "\u2013"],
    ["Steps took, against predicted", totals.step_predicted_s > 0
      ? `${(totals.step_actual_s / totals.step_predicted_s).toFixed(2)}×` : "\u2013"],
    ["Time of the steps", split],
  ];
  const box = at("engine-facts");
  if (!box.children.length)
    box.append(...facts.map(([name]) => make("div", {}, make("dt", {}, name), make("dd", {}))));
  facts.forEach(([, value], i) => say(box.children[i].lastChild, value));
}

const mine = state => state.models.find(one => one.name === model) ?? state.models[0];

function showLive(state) {
  const one = mine(state);
  const words = { serving: ["live", ""], loading: ["loading", "off"], draining: ["draining", "over"] };
  live(...(words[state.state] ?? [state.state, "off"]));
  say(at("uptime"), timeText(state.server.uptime_s));
  if (!one)
    return;
  say(at("verdict"), one.bottleneck.sentence);
  say(at("advice"), one.bottleneck.advice);
  showTiles(one.now ?? {}, state.server);
  showFacts(one.totals);
  if (one.now)
    addSample(one.now);
}

function showModels(models) {
  const select = at("model-select"), names = models.map(one => one.name);
  select.hidden = names.length < 2;
  at("model-name").hidden = names.length > 1;
  if ([...select.options].map(option => option.value).join("\n") !== names.join("\n"))
    select.replaceChildren(...names.map(name => make("option", { value: name }, name)));
  select.value = model;
  say(at("model-name"), model ?? "server");
  document.title = `${model ?? "server"} \u00b7 hone`;
}

async function readState() {
  const state = await askJson("/dashboard/state");
  at("key-form").hidden = true;
  const one = mine(state);
  model = one?.name ?? null;
  limits = one?.limits ?? {};
  say(at("version"), state.hone);
  showModels(state.models);
  showCard(one?.card);
  showOperators(one?.profile ?? []);
  showSettings(state.settings);
  showLive(state);
}

async function readHistory() {
  const query = new URLSearchParams({ span, ...(model ? { model } : {}) });
  const history = await askJson(`/dashboard/history?${query}`);
  if (history.span === span) // another may have been asked for meanwhile
    setHistory(history);
}

// Server-sent events through fetch: EventSource cannot send a key.
async function follow() {
  const response = await ask("/dashboard/events", { headers: { Accept: "text/event-stream" } });
  if (!response.ok)
    throw new Error(`events: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { value, done } = await reader.read();
    if (done)
      return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2))
      for (const line of text.slice(0, end).split("\n"))
        if (line.startsWith("data:"))
          showLive(JSON.parse(line.slice(5)));
  }
}

function showLoss() {
  const locked = !at("key-form").hidden;
  live(locked ? "locked" : "connection lost", "over");
  say(at("verdict"), locked ? "This server shows its figures to those who have an API key."
    : "The server cannot be reached; what is shown here is from before.");
  say(at("advice"), locked ? "" : "The page tries again every few seconds.");
}

let tryNow = () => {};

async function run() {
  for (let wait = 1000; ;) {
    try {
      await readState();
      await readHistory();
      wait = 1000;
      await follow();
    } catch {
      wait = Math.min(wait * 2, 10000);
    }
    showLoss();
    await new Promise(resolve => {
      tryNow = resolve;
      setTimeout(resolve, wait);
    });
  }
}

function listen() {
  at("theme").addEventListener("click", () => globalThis.switchTheme());
  at("model-select").addEventListener("change", event => {
    model = event.target.value;
    history.replaceState(null, "", `?${new URLSearchParams({ model })}`);
    readState().then(readHistory).catch(() => {});
  });
  for (const button of document.querySelectorAll("[data-span]"))
    button.addEventListener("click", () => {
      span = button.dataset.span;
      document.querySelectorAll("[data-span]").forEach(one => one.setAttribute("aria-pressed", String(one === button)));
      readHistory().catch(() => {});
    });
  at("key-form").addEventListener("submit", event => {
    event.preventDefault();
    setKey(at("key").value.trim());
    at("key").value = "";
    at("key-form").hidden = true;
    tryNow();
  });
  setInterval(() => document.hidden || readState().catch(() => {}), REREAD_MS);
  setInterval(() => span === "24h" && readHistory().catch(() => {}), REREAD_MINUTES_MS);
}

buildCharts();
listen();
prepareTry(() => model);
run();
