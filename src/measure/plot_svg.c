// SPDX-License-Identifier: Apache-2.0
// SVG text: escaping, the style sheet, the few elements that plots are made of.
#include "measure/plot_svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

// Colours after Okabe and Ito, which the colour-blind can tell apart, darkened or lightened until each has a contrast
// of at least 3 to its background. Every rule is bound to the picture's class: in a page, a picture's rules are the
// page's.
static const char style[] =
    "<style>\n"
    ".hone-plot text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f;"
    "font-size:12px}\n"
    ".hone-plot .title{font-size:16px;font-weight:600}.hone-plot .label{font-size:13px}\n"
    ".hone-plot .note{font-size:11px;fill:#57606a}\n"
    ".hone-plot .back{fill:#ffffff}.hone-plot .grid{stroke:#d8dee4}.hone-plot .axis{stroke:#57606a}\n"
    ".hone-plot .line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}\n"
    ".hone-plot .spread{stroke:currentColor;stroke-width:1.2}\n"
    ".hone-plot .mark{fill:currentColor;stroke:#ffffff;stroke-width:1}\n"
    ".hone-plot .bar{fill:#3d94c9}.hone-plot .saved{fill:#3d94c9;fill-opacity:.2}\n"
    ".hone-plot .whisker{stroke:#24292f;stroke-width:1.2}\n"
    ".hone-plot .c0{color:#0072b2}.hone-plot .c1{color:#c85200}.hone-plot .c2{color:#00805c}\n"
    ".hone-plot .c3{color:#a8518a}.hone-plot .c4{color:#8a6d00}.hone-plot .c5{color:#2a7fa8}\n"
    ".hone-plot .c6{color:#8c2d04}.hone-plot .c7{color:#57606a}\n"
    "@media screen and (prefers-color-scheme:dark){\n"
    ".hone-plot text{fill:#e6edf3}.hone-plot .note{fill:#9198a1}.hone-plot .back{fill:#0d1117}\n"
    ".hone-plot .grid{stroke:#30363d}.hone-plot .axis{stroke:#9198a1}.hone-plot .mark{stroke:#0d1117}\n"
    ".hone-plot .bar{fill:#2f81b7}.hone-plot .saved{fill:#2f81b7;fill-opacity:.35}\n"
    ".hone-plot .whisker{stroke:#e6edf3}\n"
    ".hone-plot .c0{color:#56b4e9}.hone-plot .c1{color:#f28e2b}.hone-plot .c2{color:#2fc49a}\n"
    ".hone-plot .c3{color:#d98bbd}.hone-plot .c4{color:#e3c63b}.hone-plot .c5{color:#8fd0f0}\n"
    ".hone-plot .c6{color:#f0a07a}.hone-plot .c7{color:#9198a1}}\n"
    "</style>\n";

// The characters XML 1.0 allows.
static bool is_xml(uint32_t c) {
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xFFFE && c != 0xFFFF);
}

void svg_escape_bytes(Buffer *out, const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes;) {
        uint32_t c;
        i += utf8_decode(text + i, bytes - i, &c);
        if (c == '&')
            buffer_add_text(out, "&amp;");
        else if (c == '<')
            buffer_add_text(out, "&lt;");
        else if (c == '>')
            buffer_add_text(out, "&gt;");
        else if (c == '"')
            buffer_add_text(out, "&quot;");
        else
            buffer_add_code_point(out, is_xml(c) ? c : 0xFFFD);
    }
}

void svg_escape(Buffer *out, const char *text) {
    svg_escape_bytes(out, text, text ? strlen(text) : 0);
}

size_t svg_characters(const char *text) {
    size_t count = 0;
    for (; text && *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

void svg_begin(Buffer *out, const char *title, const char *description, double width, double height) {
    size_t mark = out->bytes; // pictures in one page need ids of their own
    buffer_format(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hone-plot\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
        "height=\"%.0f\" role=\"img\" aria-labelledby=\"title-%zu desc-%zu\">\n<title id=\"title-%zu\">",
        width, height, width, height, mark, mark, mark);
    svg_escape(out, title);
    buffer_format(out, "</title>\n<desc id=\"desc-%zu\">", mark);
    svg_escape(out, description);
    buffer_add_text(out, "</desc>\n");
    buffer_add_text(out, style);
    buffer_format(out, "<rect class=\"back\" width=\"%.0f\" height=\"%.0f\"/>\n", width, height);
    svg_text(out, "title", "start", 20, 30, title);
}

void svg_end(Buffer *out) {
    buffer_add_text(out, "</svg>\n");
}

void svg_line(Buffer *out, const char *class, double x1, double y1, double x2, double y2) {
    buffer_format(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2);
}

void svg_text_most(Buffer *out, const char *class, const char *anchor, double x, double y, const char *text,
                   size_t bytes, size_t most) {
    if (!text || !bytes)
        return;
    buffer_format(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, anchor, x, y);
    size_t cut = bytes, count = 0; // where the last character that may stay ends, if there are more
    for (size_t at = 0; at < bytes && count <= most; count++) {
        uint32_t c;
        cut = count + 1 == most ? at : cut;
        at += utf8_decode(text + at, bytes - at, &c);
    }
    svg_escape_bytes(out, text, count > most ? cut : bytes);
    buffer_add_text(out, count > most ? "\xE2\x80\xA6</text>\n" : "</text>\n");
}

void svg_text(Buffer *out, const char *class, const char *anchor, double x, double y, const char *text) {
    svg_text_most(out, class, anchor, x, y, text, text ? strlen(text) : 0, SIZE_MAX - 1);
}

// Copies a decimal form and puts commas between its thousands.
static const char *group(const char *plain, char ret[PLOT_NUMBER_BYTES]) {
    size_t whole = strcspn(plain, "."), used = 0;
    for (size_t i = 0; plain[i] && used + 2 < PLOT_NUMBER_BYTES; i++) {
        if (i && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-')
            ret[used++] = ',';
        ret[used++] = plain[i];
    }
    ret[used] = '\0';
    return ret;
}

const char *plot_short(double value, char ret[PLOT_NUMBER_BYTES]) {
    double size = fabs(value);
    return plot_decimals(value, size < 0.005 || size >= 9.95 ? 0 : size >= 0.995 ? 1 : 2, ret);
}

const char *plot_number(double value, char ret[PLOT_NUMBER_BYTES]) {
    char plain[PLOT_NUMBER_BYTES];
    double size = fabs(value);
    if (size != 0 && (size < 1e-4 || size >= 1e9)) {
        snprintf(ret, PLOT_NUMBER_BYTES, "%.3g", value);
        return ret;
    }
    int decimals = size >= 1000 || size == 0 ? 0 : 3 - (int)floor(log10(size));
    snprintf(plain, sizeof plain, "%.*f", decimals, value);
    if (strchr(plain, '.')) { // 2.500 reads as 2.5
        char *end = plain + strlen(plain) - 1;
        while (*end == '0')
            *end-- = '\0';
        if (*end == '.')
            *end = '\0';
    }
    return group(plain, ret);
}

const char *plot_decimals(double value, int decimals, char ret[PLOT_NUMBER_BYTES]) {
    char plain[PLOT_NUMBER_BYTES];
    if (fabs(value) >= 1e9) {
        snprintf(ret, PLOT_NUMBER_BYTES, "%.3g", value);
        return ret;
    }
    snprintf(plain, sizeof plain, "%.*f", decimals, value);
    bool nothing = plain[0] == '-' && strspn(plain + 1, "0.") == strlen(plain + 1);
    return group(plain + nothing, ret);
}
