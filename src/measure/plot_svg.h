// SPDX-License-Identifier: Apache-2.0
// What all kinds of plots write: the document around the picture, lines, texts, numbers.
#pragma once

#include "base/buffer.h"

// A larger value, or a positive one below its reciprocal on a logarithmic axis, is not drawn.
#define PLOT_VALUE_MOST 1e15

enum { PLOT_WIDTH = 720, PLOT_NUMBER_BYTES = 40 };

// The document's head: title and description for readers, styles for light and dark, background, the title's text.
// Several pictures may stand in one page that `out` holds: their styles reach nothing else, and no id is there twice.
void svg_begin(Buffer *out, const char *title, const char *description, double width, double height);
void svg_end(Buffer *out);

void svg_line(Buffer *out, const char *class, double x1, double y1, double x2, double y2);

// `anchor` is start, middle or end. NULL text draws nothing.
void svg_text(Buffer *out, const char *class, const char *anchor, double x, double y, const char *text);

// The same of `bytes` bytes; more than `most` characters are cut to that with an ellipsis.
void svg_text_most(Buffer *out, const char *class, const char *anchor, double x, double y, const char *text,
                   size_t bytes, size_t most);

// Appends text as XML character data that is also fit for an attribute in double quotes. NULL is nothing.
void svg_escape(Buffer *out, const char *text);
void svg_escape_bytes(Buffer *out, const char *text, size_t bytes);

// How many characters a reader sees, roughly: code points.
size_t svg_characters(const char *text);

// A short decimal form: four significant digits, thousands grouped by commas. Returns `ret`.
const char *plot_number(double value, char ret[PLOT_NUMBER_BYTES]);

// Two significant digits or so, never more than two decimals, for numbers in little space.
const char *plot_short(double value, char ret[PLOT_NUMBER_BYTES]);

// The same with so many decimals (0 to 9), for numbers in columns; what rounds to zero has no sign.
const char *plot_decimals(double value, int decimals, char ret[PLOT_NUMBER_BYTES]);
