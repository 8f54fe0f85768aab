// SPDX-License-Identifier: Apache-2.0
// SVG text: escaping, the style sheet, the few elements that plots are made of.
#include "measure/plot_svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

// Colours after Okabe and Ito, which the colour-blind can tell apart, darkened or lightened until each has a contrast
// of at least 3 to its background.
static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f;font-size:12px}\n"
    ".title{font-size:16px;font-weight:600}.label{font-size:13px}.note{font-size:11px;fill:#57606a}\n"
    ".back{fill:#ffffff}.grid{stroke:#d8dee4}.axis{stroke:#57606a}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}.spread{stroke-width:1.2}\n"
    ".mark{stroke:#ffffff;stroke-width:1}.bar{fill:#3d94c9}.saved{fill:#3d94c9;fill-opacity:.2}\n"
    ".c0{stroke:#0072b2}.c1{stroke:#c85200}.c2{stroke:#00805c}.c3{stroke:#a8518a}\n"
    ".c4{stroke:#8a6d00}.c5{stroke:#2a7fa8}.c6{stroke:#8c2d04}.c7{stroke:#57606a}\n"
    ".mark.c0{fill:#0072b2}.mark.c1{fill:#c85200}.mark.c2{fill:#00805c}.mark.c3{fill:#a8518a}\n"
    ".mark.c4{fill:#8a6d00}.mark.c5{fill:#2a7fa8}.mark.c6{fill:#8c2d04}.mark.c7{fill:#57606a}\n"
    ".mark{stroke:#ffffff}.whisker{stroke:#24292f;stroke-width:1.2}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.note{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#9198a1}\n"
    ".bar{fill:#2f81b7}.saved{fill:#2f81b7;fill-opacity:.35}.whisker{stroke:#e6edf3}\n"
    ".c0{stroke:#56b4e9}.c1{stroke:#f28e2b}.c2{stroke:#2fc49a}.c3{stroke:#d98bbd}\n"
    ".c4{stroke:#e3c63b}.c5{stroke:#8fd0f0}.c6{stroke:#f0a07a}.c7{stroke:#9198a1}\n"
    ".mark.c0{fill:#56b4e9}.mark.c1{fill:#f28e2b}.mark.c2{fill:#2fc49a}.mark.c3{fill:#d98bbd}\n"
    ".mark.c4{fill:#e3c63b}.mark.c5{fill:#8fd0f0}.mark.c6{fill:#f0a07a}.mark.c7{fill:#9198a1}\n"
    ".mark{stroke:#0d1117}}\n"
    "</style>\n";

// The characters XML 1.0 allows.
static bool is_xml(uint32_t c) {
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xFFFE && c != 0xFFFF);
}

void svg_escape(Buffer *out, const char *text) {
    size_t bytes = text ? strlen(text) : 0;
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

size_t svg_characters(const char *text) {
    size_t count = 0;
    for (; text && *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

void svg_begin(Buffer *out, const char *title, const char *description, double height) {
    buffer_format(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" "
                  "role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">",
                  PLOT_WIDTH, height, PLOT_WIDTH, height);
    svg_escape(out, title);
    buffer_add_text(out, "</title>\n<desc id=\"desc\">");
    svg_escape(out, description);
    buffer_add_text(out, "</desc>\n");
    buffer_add_text(out, style);
    buffer_format(out, "<rect class=\"back\" width=\"%d\" height=\"%.0f\"/>\n", PLOT_WIDTH, height);
    svg_text(out, "title", "start", 20, 30, title);
}

void svg_end(Buffer *out) {
    buffer_add_text(out, "</svg>\n");
}

void svg_line(Buffer *out, const char *class, double x1, double y1, double x2, double y2) {
    buffer_format(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2);
}

void svg_text(Buffer *out, const char *class, const char *anchor, double x, double y, const char *text) {
    if (!text || !*text)
        return;
    buffer_format(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, anchor, x, y);
    svg_escape(out, text);
    buffer_add_text(out, "</text>\n");
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
    size_t whole = strcspn(plain, "."), used = 0;
    for (size_t i = 0; plain[i] && used + 2 < PLOT_NUMBER_BYTES; i++) {
        if (i && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-')
            ret[used++] = ',';
        ret[used++] = plain[i];
    }
    ret[used] = '\0';
    return ret;
}
