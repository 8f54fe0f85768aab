// SPDX-License-Identifier: Apache-2.0
// The evidence report: one HTML page of what a search under a quality budget measured, drawn from its evidence, one
// JSON document. The page loads nothing, runs no script but its own few lines and is complete without them, and reads
// on a phone, on paper, in the dark, and by ear.
//
// The document; any member, at any depth, may be missing or null, as where a search was cut short: its part of the page
// is left out or says so.
//
//   {"hone": version, "command": text, "seed": n, "goal": "latency|throughput|memory", "budget": relative loss (0.01
//      is 1 %), "seconds": n, "evaluations": n, "generation": its options as text,
//    "model": {"name", "family", "parameters": n, "weights_mb": n, "sha256"},
//    "data": {"name", "sha256", "rows": n, "split": [{"name", "rows": n, "use": what for, "sha256"}...]},
//    "machine": {"cpu", "cores": n, "level", "threads": n, "system"},
//    "answer": {"met": bool, "sentence", "recipe": any object, "recipe_text", "output": folder},
//    "metrics": [as in a row's quality: "rouge1"... or "exact", "token_error"],
//    "rows": [{"name", "recipe_text", "latency_ms": {"mean", "p50", "p95", "p99"}, "samples_per_s",
//              "speedup": {"mean", "low", "high"}, "weights_mb", "peak_rss_mb", "reduction_percent",
//              "quality": {metric: {"mean", "low", "high"}...}, shares of 1,
//              "loss": {metric or "mean": {"relative", "low", "high"}...}, "chosen": bool, "note"}...],
//             what all others are compared with is called "original", else the first
//    "frontier": [{"recipe_text", "loss": {"relative", "low", "high"}, "ms", "mb", "within": bool, "chosen": bool}...],
//             "within" where the upper end of the interval is, the budget's end included, if the document does not say
//    "sensitivity": {"samples": n, "tokens": n, "rows": [{"layer", "change", "kind", "output_error", "loss_change":
//    nats
//                    a token, "rouge_change": relative loss, "bytes_saved", "ms_saved"}...]},
//             "kind" is "units" or "layer" where something is left out, "scheme" or "zeros" else
//    "layers": [{"name", "scheme", "original_mb", "mb"}...],
//    "waterfall": [{"label", "ms", "low", "high"}...] from the original, lever by lever,
//    "samples": [{"source", "reference", "original", "chosen"}...], texts,
//    "phases": [{"name", "seconds"}...], "weights_sha256": of what was written}
//
// Texts may hold anything: they are escaped, and what is no UTF-8 or no character of XML becomes U+FFFD. Members that
// are not named here are not read.
#pragma once

#include "base/buffer.h"
#include "base/json.h"

// Appends the page. ERR_FORMAT names the member that is something else than above, or says that the document has none
// of them that a page could show; ERR_LIMIT for more than pictures can hold. On failure nothing is appended. The arena
// is scratch.
MUST_CHECK Status report_html(Arena *arena, const json_t *evidence, Buffer *out, Error *err);
