// SPDX-License-Identifier: Apache-2.0
// What changes seldom: the model card with its evidence, the operators, the settings.
import { DASH, at, count, draw, make, percent, short } from "/dashboard/text.js";

const fact = (name, ...value) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value));
const number = (value, digits) => Number.isFinite(value ?? NaN) ? value.toFixed(digits).replace("-", "\u2212") : DASH;

function sizes(card) {
  return make("dl", { class: "facts" },
    fact("Family", card.family ?? DASH),
    fact("Parameters", card.parameters >= 1e6 ? `${(card.parameters / 1e6).toFixed(card.parameters < 1e8 ? 1 : 0)} million`
      : count(card.parameters)),
    fact("Weights", `${number(card.weights_mb, card.weights_mb < 100 ? 1 : 0)} MB`),
    fact("Layers", `${card.encoder_layers} + ${card.decoder_layers}`, " ", make("small", {}, "encoder + decoder")),
    fact("Width", count(card.width)),
    fact("Vocabulary", count(card.vocabulary)),
    fact("Positions", count(card.positions)),
    fact("Quantization", card.quantization ?? "none"),
    fact("Runs with", card.runs_with ?? "its defaults"),
    ...(card.written_by ? [fact("Written by", `hone ${card.written_by}`)] : []));
}

function interval(value, factor, digits) {
  if (!value || !Number.isFinite(value.low ?? NaN))
    return [];
  return [" ", make("small", {}, `[${number(value.low * factor, digits)}, ${number(value.high * factor, digits)}]`)];
}

const cell = (...content) => make("td", {}, ...content);

// The original beside what was chosen, a line a figure.
function comparison(evidence) {
  const { original, chosen } = evidence, rows = [];
  const add = (name, a, b, ...more) => rows.push(make("tr", {}, make("th", { scope: "row", class: "text" }, name), cell(a), cell(b),
    cell(...more)));
  const ratio = (a, b) => a > 0 && b > 0 ? `${number(a / b, 2)}×` : "";
  for (const metric of evidence.quality ?? [])
    add(metric.metric, number(metric.original?.mean, 4), number(metric.chosen?.mean, 4),
      metric.loss ? `loss ${percent(metric.loss.relative, 2).replace("-", "\u2212")}` : "", ...interval(metric.loss, 100, 2));
  add("Median time, ms", number(original?.p50_ms, 2), number(chosen?.p50_ms, 2), ratio(original?.p50_ms, chosen?.p50_ms));
  add("95 % within, ms", number(original?.p95_ms, 2), number(chosen?.p95_ms, 2), ratio(original?.p95_ms, chosen?.p95_ms));
  add("Samples a second", number(original?.samples_per_s, 0), number(chosen?.samples_per_s, 0),
    ratio(chosen?.samples_per_s, original?.samples_per_s));
  add("Weights, MB", number(original?.weights_mb, 1), number(chosen?.weights_mb, 1), ratio(original?.weights_mb, chosen?.weights_mb));
  add("Peak memory, MB", number(original?.peak_rss_mb, 0), number(chosen?.peak_rss_mb, 0),
    ratio(original?.peak_rss_mb, chosen?.peak_rss_mb));
  const head = make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "text" }, "Measured by hone optimize"),
    ...["original", "this model", "change"].map(name => make("th", { scope: "col" }, name))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Evidence" },
    make("table", {}, head, make("tbody", {}, ...rows)));
}

function evidenceOf(card) {
  const evidence = card.evidence;
  if (!evidence) {
    const recipe = card.recipe ? [make("p", { class: "lead" }, "Made with ", make("code", {}, JSON.stringify(card.recipe)))] : [];
    return [...recipe, make("p", { class: "lead" }, card.problem ?? "This folder holds no evidence of compression; hone optimize leaves it.")];
  }
  const verdict = evidence.met === null ? [] : [" ", make("span", { class: evidence.met ? "badge" : "badge over" },
    evidence.met ? "within its budget" : "over its budget")];
  const how = [evidence.goal ? `for ${evidence.goal}` : "", Number.isFinite(evidence.budget) ? `budget ${percent(evidence.budget, 1)} loss` : "",
    evidence.data ? `data ${evidence.data}${evidence.rows ? `, ${count(evidence.rows)} rows` : ""}` : "",
    evidence.evaluations ? `${evidence.evaluations} evaluations` : "",
    evidence.cpu ? `on ${evidence.cpu}${evidence.cores ? `, ${evidence.cores} cores` : ""}` : ""].filter(text => text).join(" · ");
  return [make("h3", {}, make("code", {}, evidence.recipe || "as it was"), ...verdict),
    make("p", {}, evidence.sentence ?? ""), comparison(evidence), make("p", { class: "lead" }, how)];
}

export function showCard(card) {
  at("card").replaceChildren(...(card ? [...evidenceOf(card), sizes(card)]
    : [make("p", { class: "lead" }, "Nothing is known of this model yet.")]));
}

const bar = part => draw("svg", { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
  draw("rect", { class: "track", width: 100, height: 8 }), draw("rect", { class: "part", width: 100 * part, height: 8 }));

export function showOperators(profile) {
  const rows = [...profile].sort((a, b) => b.seconds - a.seconds), all = rows.reduce((sum, row) => sum + row.seconds, 0);
  at("operators-scroll").hidden = !(all > 0);
  at("operators-empty").hidden = all > 0;
  at("operators-rows").replaceChildren(...rows.filter(() => all > 0).map(row => make("tr", {},
    make("th", { scope: "row", class: "text" }, row.op), make("td", { class: "text" }, make("code", {}, row.kernel || DASH)),
    cell(percent(row.seconds / all, 1)),
    make("td", { class: "meter" }, bar(row.seconds / all)),
    cell(number(row.seconds, row.seconds < 10 ? 2 : 0)), cell(short(row.runs)),
    cell(row.runs ? short(row.seconds / row.runs * 1e6) : DASH))));
}

export function showSettings(settings) {
  at("settings-rows").replaceChildren(...settings.map(setting => make("tr", {},
    make("th", { scope: "row", class: "text" }, make("code", {}, setting.name)),
    make("td", { class: "text wrap" }, setting.value || DASH, ...(setting.chosen ? [" ", make("span", { class: "badge mark" }, "given")] : [])))));
}
