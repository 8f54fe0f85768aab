// SPDX-License-Identifier: Apache-2.0
// The report's page: its head, and its parts in their order.
#include "compress/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "compress/report_part.h"
#include "measure/plot_svg.h"

typedef struct Part {
    const char *id, *title;
    const char *member; // of the evidence; the part is left out where that is missing or empty
    Status (*write)(Report *report, Error *err);
} Part;

static const Part parts[] = {
    {"measured", "What was measured", "rows", report_table},
    {"frontier", "Loss against speed and size", "frontier", report_frontier},
    {"waterfall", "Where the time went", "waterfall", report_waterfall},
    {"layers", "Layer by layer", "layers", report_layers},
    {"sensitivity", "What each layer can bear", "sensitivity", report_sensitivity},
    {"samples", "Sample outputs", "samples", report_samples},
    {"search", "The search", "phases", report_phases},
};
enum { PART_COUNT = sizeof parts / sizeof *parts };

static bool is_there(const Report *report, const char *member) {
    const json_t *value = json_object_get(report->evidence, member);
    bool empty =
        (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value));
    return value && !json_is_null(value) && !empty;
}

// A document of another kind, taken for evidence by mistake, has none of what a page shows.
static Status check(const Report *report, Error *err) {
    if (!json_is_object(report->evidence))
        return FAIL(err, ERR_FORMAT, "evidence: expected a JSON object");
    bool found = is_there(report, "answer");
    for (size_t i = 0; i < PART_COUNT; i++)
        found |= is_there(report, parts[i].member);
    return found ? OK
                 : FAIL(err, ERR_FORMAT,
                        "evidence: has none of 'answer', 'rows', 'frontier', 'waterfall', 'layers', 'sensitivity', "
                        "'samples' and 'phases', expected what 'hone optimize' found");
}

// The script's hash in base64, as a Content-Security-Policy names it: no other script runs, whatever the texts hold.
static void add_script_hash(Buffer *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Sha256 hash;
    char hex[SHA256_TEXT_BYTES];
    sha256_init(&hash);
    sha256_add(&hash, report_script, strlen(report_script));
    sha256_text(&hash, hex);
    for (size_t i = 0; i < 64; i += 6) { // three bytes make four digits; 32 bytes end in two
        char three[7] = "000000";
        memcpy(three, hex + i, 64 - i < 6 ? 64 - i : 6);
        unsigned long bits = strtoul(three, NULL, 16);
        for (int shift = 18; shift >= 0; shift -= 6)
            buffer_add_char(out, shift == 0 && i + 6 > 64 ? '=' : digits[bits >> shift & 63]);
    }
}

static Status add_head(Report *report, Error *err) {
    Buffer *out = report->out;
    buffer_add_text(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                         "style-src 'unsafe-inline'; script-src 'sha256-");
    add_script_hash(out);
    buffer_add_text(out, "'; base-uri 'none'; form-action 'none'\"/>\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                         "<meta name=\"referrer\" content=\"no-referrer\"/>\n"
                         "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    const json_t *model;
    char where[REPORT_WHERE_BYTES];
    const char *name;
    TRY(report_object(report->evidence, "evidence", "model", where, &model, err));
    TRY(report_text(model, where, "name", &name, err));
    svg_escape(out, *name ? name : "A model");
    buffer_add_text(out, ": evidence</title>\n<style>\n");
    buffer_add_text(out, report_style);
    buffer_add_text(out, "</style>\n</head>\n<body>\n<div class=\"page\">\n<header>\n<p class=\"kind\">hone \xC2\xB7 "
                         "evidence");
    if (*name) {
        buffer_add_text(out, " \xC2\xB7 ");
        svg_escape(out, name);
    }
    buffer_add_text(out, "</p>\n");
    return OK;
}

static void add_contents(Report *report) {
    Buffer *out = report->out;
    buffer_add_text(out, "<nav aria-label=\"Parts of this page\"><ul>\n");
    for (size_t i = 0; i < PART_COUNT; i++)
        if (is_there(report, parts[i].member))
            buffer_format(out, "<li><a href=\"#%s\">%s</a></li>\n", parts[i].id, parts[i].title);
    buffer_add_text(out, "<li><a href=\"#method\">How it was measured</a></li>\n</ul></nav>\n</header>\n<main>\n");
}

static Status add_part(Report *report, const Part *part, Error *err) {
    if (part->member && !is_there(report, part->member))
        return OK;
    buffer_format(report->out, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n",
                  part->id, part->id, part->id, part->title);
    TRY(part->write(report, err));
    buffer_add_text(report->out, "</section>\n");
    return OK;
}

static Status add_page(Report *report, Error *err) {
    TRY(check(report, err));
    TRY(report_read(report, err));
    TRY(add_head(report, err));
    TRY(report_answer(report, err));
    add_contents(report);
    for (size_t i = 0; i < PART_COUNT; i++)
        TRY(add_part(report, &parts[i], err));
    static const Part method = {"method", "How it was measured", NULL, report_method};
    TRY(add_part(report, &method, err));
    const char *version;
    TRY(report_text(report->evidence, "evidence", "hone", &version, err));
    buffer_add_text(report->out, "</main>\n<footer>Measured by hone ");
    svg_escape(report->out, version);
    buffer_add_text(report->out, ", drawn by hone " HONE_VERSION ". This page loads nothing from anywhere.</footer>\n"
                                 "</div>\n<script>");
    buffer_add_text(report->out, report_script);
    buffer_add_text(report->out, "</script>\n</body>\n</html>\n");
    return buffer_status(report->out, err);
}

Status report_html(Arena *arena, const json_t *evidence, Buffer *out, Error *err) {
    Report report = {.arena = arena, .evidence = evidence, .out = out};
    size_t before = out->bytes;
    Status status = add_page(&report, err);
    if (status != OK && out->data) {
        out->bytes = before;
        out->data[before] = '\0';
    }
    return status;
}
