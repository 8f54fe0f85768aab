// SPDX-License-Identifier: Apache-2.0
// The charts: which there are, and how a column of the history becomes a line.
import { DASH, draw as svg, make, percent, short, timeText } from "/dashboard/text.js";

const seconds = value => timeText(value);
const share = value => percent(value);

// Each: title, unit of its axis, the figures drawn (serve/history.def) with their names, how values are written.
const CHARTS = [
  { part: "traffic", title: "Tokens", unit: "tokens/s", write: short,
    lines: [["generated_tokens_per_s", "generated"], ["source_tokens_per_s", "read"]] },
  { part: "traffic", title: "Requests", unit: "requests/s", write: short,
    lines: [["requests_per_s", "answered"], ["rejected_per_s", "turned away"], ["cancelled_per_s", "cancelled"],
      ["failed_per_s", "failed"]] },
  { part: "latency", title: "Time to the first token", unit: "ms", write: seconds, factor: 1000,
    lines: [["first_token_p50_s", "median"], ["first_token_p95_s", "95 %"], ["first_token_p99_s", "99 %"]] },
  { part: "latency", title: "Time for each token", unit: "ms", write: seconds, factor: 1000,
    lines: [["token_p50_s", "median"], ["token_p95_s", "95 %"], ["token_p99_s", "99 %"]] },
  { part: "latency", title: "Time for a whole request", unit: "ms", write: seconds, factor: 1000,
    lines: [["request_p50_s", "median"], ["request_p95_s", "95 %"], ["request_p99_s", "99 %"]] },
  { part: "latency", title: "Time in the queue", unit: "ms", write: seconds, factor: 1000,
    lines: [["queue_mean_s", "mean"]] },
  { part: "engine", title: "Requests", unit: "requests", write: short,
    lines: [["running_requests", "running"], ["queued_requests", "waiting"]] },
  { part: "engine", title: "Tokens that wait", unit: "tokens", write: short, lines: [["queued_tokens", "waiting"]] },
  { part: "engine", title: "Batch", unit: "rows a step", write: short, lines: [["rows_per_step", "rows"]] },
  { part: "engine", title: "K/V pages", unit: "% of all", write: share, factor: 100, top: 100,
    lines: [["kv_used_share", "in use"], ["kv_cached_share", "only cached"]] },
  { part: "engine", title: "Time of the engine", unit: "% of the time", write: share, factor: 100, top: 100,
    lines: [["encode_share", "encode"], ["decode_share", "decode"], ["head_share", "vocabulary"],
      ["schedule_share", "between steps"]] },
];
// Lines differ by dashes as well as by colour.
const DASHES = [null, [7, 3], [2, 2], [9, 3, 2, 3]];
const SPANS = { "15m": { seconds: 900, step: 1 }, "24h": { seconds: 86400, step: 60 } };

const charts = [];
let columns = null; // of the history: {time: [...], figure: [...]}
let span = "15m";

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (date, parts) => date.toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit", ...parts });

const swatch = index => svg("svg", { class: `s${index}`, "aria-hidden": "true" },
  svg("line", { x1: 0, x2: 22, y1: 6, y2: 6, stroke: "currentColor", "stroke-width": 2.5,
    ...(DASHES[index] ? { "stroke-dasharray": DASHES[index].join(" ") } : {}) }));

function build(chart) {
  chart.values = chart.lines.map(() => make("b", {}, DASH));
  chart.when = make("li", { class: "when" });
  const legend = make("ul", { class: "legend" },
    ...chart.lines.map(([, name], i) => make("li", {}, swatch(i), name, chart.values[i])), chart.when);
  chart.graph = make("div", { class: "graph" });
  chart.empty = make("p", { class: "empty" });
  const plot = make("div", { class: "plot", role: "img", "aria-label": `${chart.title}, ${chart.unit}, over time` },
    chart.graph, chart.empty);
  const caption = make("figcaption", {}, chart.title, make("small", {}, chart.unit));
  document.querySelector(`#${chart.part} .charts`).append(make("figure", {}, caption, legend, plot));
}

function tell(chart, index, pointed) {
  chart.lines.forEach(([figure], i) => {
    const value = columns && index >= 0 ? columns[figure][index] : null;
    chart.values[i].textContent = chart.write(value);
  });
  chart.when.textContent = pointed ? clock(new Date(columns.time[index] * 1000), { second: "2-digit" }) : "";
}

const newest = () => columns ? columns.time.length - 1 : -1;

// Axes begin at 0. A line that is 0 throughout lies on an axis from 0 to 1.
function range(chart, rows) {
  let most = 0;
  for (const row of rows)
    for (let i = 1; i < row.length; i++)
      most = Math.max(most, row[i] ?? 0);
  if (chart.top)
    return [0, Math.max(chart.top, most) * 1.04];
  return [0, (most > 0 ? most : 1) * 1.1];
}

function rowsOf(chart) {
  const rows = [], step = SPANS[span].step, factor = chart.factor ?? 1;
  const data = chart.lines.map(([figure]) => columns[figure]);
  columns.time.forEach((time, i) => {
    if (i && time - columns.time[i - 1] > step * 2.5) // a gap stays a gap
      rows.push([new Date((columns.time[i - 1] + step) * 1000), ...data.map(() => null)]);
    rows.push([new Date(time * 1000), ...data.map(column => column[i] === null ? null : column[i] * factor)]);
  });
  return rows;
}

function options(chart, rows) {
  const end = rows.length ? rows[rows.length - 1][0].getTime() : Date.now();
  const nothing = !rows.some(row => row.slice(1).some(value => value !== null));
  chart.empty.textContent = nothing ? (rows.length ? "No requests in this time" : "No figures yet") : "";
  return {
    file: rows.length ? rows : [[new Date(end), ...chart.lines.map(() => null)]],
    dateWindow: [end - SPANS[span].seconds * 1000, end],
    valueRange: range(chart, rows),
    colors: chart.lines.map((_, i) => colour(`--c${i}`)),
    gridLineColor: colour("--line"),
    axisLineColor: colour("--line"),
  };
}

function axes(chart) {
  const label = value => short(value);
  return {
    x: { axisLabelFormatter: date => clock(date, {}), drawGrid: false, pixelsPerLabel: 70 },
    y: { axisLabelFormatter: label, axisLabelWidth: 40, pixelsPerLabel: 34 },
  };
}

function draw(chart) {
  const rows = columns ? rowsOf(chart) : [];
  const changing = options(chart, rows);
  if (chart.dygraph) {
    chart.dygraph.updateOptions(changing);
  } else {
    const { file, ...rest } = changing;
    chart.dygraph = new globalThis.Dygraph(chart.graph, file, {
      ...rest,
      labels: ["time", ...chart.lines.map(([, name]) => name)],
      axes: axes(chart),
      legend: "never",
      strokeWidth: 1.75,
      highlightCircleSize: 3,
      xRangePad: 2,
      interactionModel: {}, // the wheel and fingers scroll the page
      series: Object.fromEntries(chart.lines.map(([, name], i) => [name, { strokePattern: DASHES[i] }])),
      highlightCallback: (_, x) => {
        const index = columns.time.findIndex(time => Math.abs(time * 1000 - x) < 500 * SPANS[span].step);
        chart.pointed = index >= 0;
        tell(chart, index >= 0 ? index : newest(), chart.pointed);
      },
      unhighlightCallback: () => {
        chart.pointed = false;
        tell(chart, newest(), false);
      },
    });
  }
  if (!chart.pointed)
    tell(chart, newest(), false);
}

export function drawCharts() {
  if (!document.hidden)
    charts.forEach(draw);
}

export function buildCharts() {
  const { Dygraph } = globalThis; // its own legend writes styles into elements, which the page's policy refuses
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter(plugin => plugin !== Dygraph.Plugins.Legend);
  for (const chart of CHARTS) {
    charts.push(chart);
    build(chart);
  }
  drawCharts();
  document.addEventListener("themechange", drawCharts);
  document.addEventListener("visibilitychange", drawCharts);
}

export function setHistory(history) {
  columns = history;
  span = history.span;
  drawCharts();
}

// One more second behind the history of seconds.
export function addSample(sample) {
  if (!columns || span !== "15m" || columns.time.at(-1) >= Math.round(sample.time))
    return;
  const from = sample.time - SPANS[span].seconds;
  for (const [name, column] of Object.entries(columns)) {
    if (Array.isArray(column))
      column.push(name === "time" ? Math.round(sample.time) : sample[name] ?? null);
  }
  while (columns.time.length && columns.time[0] < from)
    Object.values(columns).forEach(column => Array.isArray(column) && column.shift());
  drawCharts();
}
