// SPDX-License-Identifier: Apache-2.0
// Plots described as JSON, for `hone plot` and the scripts that call it. Three forms; what is in brackets may be left
// out:
//
//   {"kind":"lines","title":T,["description":T],"x":{"label":T,["scale":S]},"y":{"label":T,["scale":S]},
//    "series":[{"name":T,["dashed":bool],"points":[[x,y] or [x,y,low,high],...]},...]}    S: "linear", "log2", "log10"
//   {"kind":"bars" or "waterfall","title":T,["description":T],"axis":T,
//    "bars":[{"label":T,["note":T],"value":n,["low":n,"high":n]},...]}
//   {"kind":"heat","title":T,["description":T],"legend":T,"columns":[T,...],
//    "rows":[{"label":T,["group":T],"values":[n or null,...]},...]}      a group is how the labels of neighbours begin
#pragma once

#include "base/json.h"
#include "measure/plot.h"

// Appends the picture. ERR_FORMAT says which member is wrong and what was expected; else as measure/plot.h. `name`
// begins those messages; the arena is scratch.
MUST_CHECK Status plot_spec_draw(Arena *arena, const json_t *spec, const char *name, Buffer *out, Error *err);
