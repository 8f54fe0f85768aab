// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them, and elements from data. Texts of the server become text nodes, never markup.

export const DASH = "\u2013";

const trim = text => text.replace(/\.0+$|(\.\d*[1-9])0+$/, "$1");

// Three digits at most: 0.42, 4.2, 42, 420, 4.2k, 42k, 4.2M.
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value))
    return DASH;
  const size = Math.abs(value);
  if (size >= 999.5e6)
    return trim((value / 1e9).toFixed(size < 9.95e9 ? 1 : 0)) + "G";
  if (size >= 999.5e3)
    return trim((value / 1e6).toFixed(size < 9.95e6 ? 1 : 0)) + "M";
  if (size >= 999.5)
    return trim((value / 1e3).toFixed(size < 9950 ? 1 : 0)) + "k";
  if (size >= 9.95)
    return value.toFixed(0);
  if (size >= 0.995)
    return trim(value.toFixed(1));
  return size === 0 ? "0" : size < 0.001 ? trim(value.toPrecision(1)) : trim(value.toPrecision(2));
}

// Seconds, with the unit that suits them.
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds))
    return [DASH, ""];
  if (seconds < 0.9995)
    return [short(seconds * 1000), "ms"];
  if (seconds < 99.5)
    return [trim(seconds.toFixed(seconds < 9.995 ? 2 : 1)), "s"];
  return seconds < 5400 ? [(seconds / 60).toFixed(0), "min"]
    : seconds < 172800 ? [trim((seconds / 3600).toFixed(1)), "h"]
      : [(seconds / 86400).toFixed(0), "days"];
}

export const timeText = seconds => duration(seconds).join("\u00a0").trim();

export const percent = (share, digits = 0) =>
  Number.isFinite(share ?? NaN) ? (share * 100).toFixed(digits) + "\u00a0%" : DASH;

export function bytes(value) {
  if (!Number.isFinite(value ?? NaN))
    return [DASH, ""];
  return value < 0.9995e9 ? [(value / 1e6).toFixed(0), "MB"] : [(value / 1e9).toFixed(value < 9.95e9 ? 1 : 0), "GB"];
}

export const count = value => Number.isFinite(value ?? NaN) ? value.toLocaleString("en-US") : DASH;

// make("td", {class: "text"}, "words", element, ...)
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// The same for SVG.
export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const at = id => document.getElementById(id);

// Touches the page only where something changed: readers may be selecting text.
export function say(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}
