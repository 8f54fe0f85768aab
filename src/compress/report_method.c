// SPDX-License-Identifier: Apache-2.0
// How everything was measured: enough to do it again.
#include <math.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

// A name and its value, begun; ends with "</dd>".
static void begin_fact(Buffer *out, const char *name) {
    buffer_format(out, "<dt>%s</dt><dd>", name);
}

static void add_fact(Buffer *out, const char *name, const char *text) {
    if (!*text)
        return;
    begin_fact(out, name);
    svg_escape(out, text);
    buffer_add_text(out, "</dd>\n");
}

static void add_count(Buffer *out, double count, const char *what) {
    if (!isfinite(count))
        return;
    buffer_add_text(out, ", ");
    report_add_number(out, count, 0);
    buffer_format(out, " %s", what);
}

static void add_hash(Buffer *out, const char *what, const char *sha256) {
    if (!*sha256)
        return;
    buffer_format(out, "<br/><span class=\"hash\">%s ", what);
    svg_escape(out, sha256);
    buffer_add_text(out, "</span>");
}

static Status add_model(Report *report, Error *err) {
    Buffer *out = report->out;
    char where[REPORT_WHERE_BYTES];
    const json_t *model;
    const char *name, *family, *sha256;
    double parameters, weights_mb;
    TRY(report_object(report->evidence, "evidence", "model", where, &model, err));
    TRY(report_text(model, where, "name", &name, err));
    TRY(report_text(model, where, "family", &family, err));
    TRY(report_text(model, where, "sha256", &sha256, err));
    TRY(report_real(model, where, "parameters", &parameters, err));
    TRY(report_real(model, where, "weights_mb", &weights_mb, err));
    if (!model)
        return OK;
    begin_fact(out, "Model");
    svg_escape(out, *name ? name : "unnamed");
    if (*family) {
        buffer_add_text(out, ", ");
        svg_escape(out, family);
    }
    add_count(out, parameters, "parameters");
    if (isfinite(weights_mb)) {
        buffer_add_text(out, ", ");
        report_add_number(out, weights_mb, 2);
        buffer_add_text(out, "\xC2\xA0MB");
    }
    add_hash(out, "SHA-256", sha256);
    buffer_add_text(out, "</dd>\n");
    return OK;
}

static Status add_split(const json_t *data, const char *where, Buffer *out, Error *err) {
    const json_t *array = NULL;
    TRY(json_get_array(data, where, "split", &array, err));
    if (!json_array_size(array))
        return OK;
    buffer_add_text(out,
                    "<table class=\"narrow\">\n<caption class=\"unseen\">How the data was split</caption>\n<thead><tr>"
                    "<th scope=\"col\" class=\"text\">Part</th><th scope=\"col\">rows</th>"
                    "<th scope=\"col\" class=\"text\">used for</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = NULL;
        char inside[REPORT_WHERE_BYTES];
        const char *name, *use, *sha256;
        double rows;
        TRY(report_item(array, "data.split", i, inside, &item, err));
        TRY(report_text(item, inside, "name", &name, err));
        TRY(report_text(item, inside, "use", &use, err));
        TRY(report_text(item, inside, "sha256", &sha256, err));
        TRY(report_real(item, inside, "rows", &rows, err));
        buffer_add_text(out, "<tr><th scope=\"row\" class=\"text\">");
        svg_escape(out, name);
        buffer_add_text(out, "</th><td>");
        report_add_number(out, rows, 0);
        buffer_add_text(out, "</td><td class=\"text\">");
        svg_escape(out, use);
        add_hash(out, "SHA-256", sha256);
        buffer_add_text(out, "</td></tr>\n");
    }
    buffer_add_text(out, "</tbody>\n</table>\n");
    return OK;
}

static Status add_data(Report *report, Error *err) {
    Buffer *out = report->out;
    char where[REPORT_WHERE_BYTES];
    const json_t *data;
    const char *name, *sha256;
    double rows;
    TRY(report_object(report->evidence, "evidence", "data", where, &data, err));
    TRY(report_text(data, where, "name", &name, err));
    TRY(report_text(data, where, "sha256", &sha256, err));
    TRY(report_real(data, where, "rows", &rows, err));
    if (!data)
        return OK;
    begin_fact(out, "Data");
    svg_escape(out, *name ? name : "unnamed");
    add_count(out, rows, "rows");
    add_hash(out, "SHA-256", sha256);
    TRY(add_split(data, where, out, err));
    buffer_add_text(out, "</dd>\n");
    return OK;
}

static Status add_machine(Report *report, Error *err) {
    Buffer *out = report->out;
    char where[REPORT_WHERE_BYTES];
    const json_t *machine;
    const char *cpu, *level, *system;
    double cores, threads;
    TRY(report_object(report->evidence, "evidence", "machine", where, &machine, err));
    TRY(report_text(machine, where, "cpu", &cpu, err));
    TRY(report_text(machine, where, "level", &level, err));
    TRY(report_text(machine, where, "system", &system, err));
    TRY(report_real(machine, where, "cores", &cores, err));
    TRY(report_real(machine, where, "threads", &threads, err));
    if (!machine)
        return OK;
    begin_fact(out, "Machine");
    svg_escape(out, *cpu ? cpu : "unnamed");
    add_count(out, cores, "cores");
    add_count(out, threads, "threads");
    if (*level) {
        buffer_add_text(out, ", kernels ");
        svg_escape(out, level);
    }
    if (*system) {
        buffer_add_text(out, ", ");
        svg_escape(out, system);
    }
    buffer_add_text(out, "</dd>\n");
    return OK;
}

static Status add_recipe(Report *report, Error *err) {
    char where[REPORT_WHERE_BYTES];
    const json_t *answer, *recipe = NULL;
    const char *output, *sha256;
    TRY(report_object(report->evidence, "evidence", "answer", where, &answer, err));
    TRY(report_text(answer, where, "output", &output, err));
    TRY(json_get_object(answer, where, "recipe", &recipe, err));
    TRY(report_text(report->evidence, "evidence", "weights_sha256", &sha256, err));
    if (*output || *sha256) {
        begin_fact(report->out, "Written to");
        svg_escape(report->out, output);
        add_hash(report->out, "its weights: SHA-256", sha256);
        buffer_add_text(report->out, "</dd>\n");
    }
    if (!recipe)
        return OK;
    Buffer text = {0};
    json_print(recipe, JSON_INDENT(2), &text);
    Status status = buffer_status(&text, err);
    if (status == OK) {
        begin_fact(report->out, "Recipe");
        buffer_add_text(report->out, "<details><summary>as JSON</summary>\n<pre>");
        svg_escape(report->out, text.data);
        buffer_add_text(report->out, "</pre></details></dd>\n");
    }
    buffer_done(&text);
    return status;
}

static Status add_search(Report *report, Error *err) {
    Buffer *out = report->out;
    const char *command, *goal, *version, *generation;
    double seed;
    TRY(report_text(report->evidence, "evidence", "command", &command, err));
    TRY(report_text(report->evidence, "evidence", "goal", &goal, err));
    TRY(report_text(report->evidence, "evidence", "hone", &version, err));
    TRY(report_real(report->evidence, "evidence", "seed", &seed, err));
    if (*command) {
        begin_fact(out, "Command");
        buffer_add_text(out, "<pre>");
        svg_escape(out, command);
        buffer_add_text(out, "</pre></dd>\n");
    }
    TRY(report_text(report->evidence, "evidence", "generation", &generation, err));
    add_fact(out, "Generation", generation);
    add_fact(out, "hone", version);
    add_fact(out, "Goal", goal);
    if (isfinite(report->budget)) {
        begin_fact(out, "Budget");
        report_add_budget(out, report->budget);
        buffer_add_text(out, " of the original's quality</dd>\n");
    }
    if (isfinite(seed)) {
        begin_fact(out, "Seed");
        report_add_number(out, seed, 0);
        buffer_add_text(out, "</dd>\n");
    }
    return OK;
}

Status report_method(Report *report, Error *err) {
    buffer_add_text(report->out, "<dl class=\"facts\">\n");
    TRY(add_search(report, err));
    TRY(add_machine(report, err));
    TRY(add_model(report, err));
    TRY(add_data(report, err));
    TRY(add_recipe(report, err));
    buffer_add_text(report->out, "</dl>\n");
    return OK;
}
