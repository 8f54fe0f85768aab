// SPDX-License-Identifier: Apache-2.0
// Requests to the server, with the API key that the reader gave: kept for this tab alone.
import { at } from "/dashboard/text.js";

const NAME = "hone-key";

function savedKey() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // storage is switched off
  }
}
let key = savedKey();

export function setKey(given) {
  key = given;
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // then it holds until the page is left
  }
}

// fetch; where the server wants a key, the page asks for one.
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  if (response.status === 401 || response.status === 403)
    at("key-form").hidden = false;
  return response;
}
