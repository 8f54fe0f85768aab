// SPDX-License-Identifier: Apache-2.0
// hone verify: reads a model back, holds it against its hone.json, and tells which programs load it.
#include "compress/verify.h"

#include <string.h>

#include "cli/command.h"

static void add_text(Buffer *out, const char *text) {
    buffer_add_json(out, text, strlen(text));
}

static void add_member(Buffer *out, const char *key, const json_t *value) {
    buffer_format(out, ",\"%s\":", key);
    if (value)
        json_print(value, JSON_COMPACT, out);
    else
        buffer_add_text(out, "null");
}

static void print_json(Buffer *out, const VerifyReport *report) {
    buffer_format(out,
                  "{\"verified\":%s,\"made_by_hone\":%s,\"quantization\":", report->problems.count ? "false" : "true",
                  report->manifest.there ? "true" : "false");
    add_text(out, report->info->quantization);
    buffer_format(
        out, ",\"files_hashed\":%zu,\"real_tensors\":%zu,\"int8_tensors\":%zu,\"four_bit_tensors\":%zu,\"problems\":[",
        report->files, report->real_tensors, report->int8_tensors, report->four_bit_tensors);
    for (size_t i = 0; i < report->problems.count; i++) {
        buffer_add_text(out, i ? "," : "");
        add_text(out, report->problems.texts[i]);
    }
    buffer_add_text(out, "],\"loaders\":[");
    for (size_t i = 0; i < LOADER_COUNT; i++) {
        const Loader *loader = &report->loaders[i];
        buffer_format(out, "%s{\"name\":\"%s\",\"takes\":%s,\"reason\":", i ? "," : "", loader->name,
                      loader->takes ? "true" : "false");
        add_text(out, loader->reason);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
    add_member(out, "recipe", report->manifest.recipe);
    add_member(out, "runtime", report->manifest.runtime);
    add_member(out, "evidence", report->manifest.evidence);
    buffer_add_char(out, '}');
}

// What hone.json says beside hashes, a line each.
static void print_manifest(Buffer *out, const VerifyReport *report) {
    const char *command = json_string_value(json_object_get(report->manifest.recipe, "command"));
    buffer_add_text(out, "recipe    ");
    if (command)
        add_text(out, command);
    else
        buffer_add_text(out, report->manifest.recipe ? "there, of a command it does not name" : "none");
    buffer_add_text(out, "\nruntime   ");
    if (report->manifest.runtime)
        advice_print(&report->info->advice, out);
    else
        buffer_add_text(out, "none");
    buffer_add_text(out, "\nevidence  ");
    if (report->evidence_read)
        evidence_print(&report->evidence, out);
    else
        buffer_add_text(out, report->manifest.evidence ? "damaged" : "none");
    buffer_add_char(out, '\n');
}

static void print_people(Buffer *out, const VerifyReport *report) {
    for (size_t i = 0; i < report->problems.count; i++)
        buffer_format(out, "problem: %s\n", report->problems.texts[i]);
    if (report->manifest.there)
        buffer_format(out, "%zu files as hone.json tells of them, ", report->files);
    else
        buffer_add_text(out, "no hone.json to compare with, ");
    buffer_format(out, "%zu real, %zu int8 and %zu 4-bit tensors read\n", report->real_tensors, report->int8_tensors,
                  report->four_bit_tensors);
    if (report->manifest.there)
        print_manifest(out, report);
    for (size_t i = 0; i < LOADER_COUNT; i++) {
        const Loader *loader = &report->loaders[i];
        buffer_format(out, "%s%-36s %-4s %s", i ? "\n" : "", loader->name, loader->takes ? "yes" : "no",
                      loader->reason);
    }
}

static Status run(CommandRun *run, Error *err) {
    Progress progress;
    progress_init(&progress, "verifying", 0, run->common.quiet);
    WorkMeter meter = {.tell = progress_tell, .context = &progress};
    VerifyReport report;
    Status status = verify_model(run->arena, run->arguments[0], &meter, &report, err);
    progress_done(&progress);
    TRY(status);
    if (run->common.json)
        print_json(&run->out.text, &report);
    else
        print_people(&run->out.text, &report);
    TRY(output_line(&run->out, err));
    if (report.problems.count)
        return FAIL(err, ERR_NO, "model '%s' is not verified: %s", run->arguments[0], report.problems.texts[0]);
    return OK;
}

const Command command_verify = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Opens a model, compares every file with the hashes in its hone.json, looks at every weight and scale, and\n"
        "tells what hone.json says of its making, running and evidence, and which programs load it. Exit code 1\n"
        "when something is not as it was written.\n",
    .settings_bytes = 0,
    .json = true,
    .run = run,
};
