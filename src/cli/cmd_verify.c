// SPDX-License-Identifier: Apache-2.0
// hone verify: reads a model back, holds it against its hone.json, and tells which programs load it.
#include "compress/verify.h"

#include <string.h>

#include "cli/command.h"

static void add_text(Buffer *out, const char *text) {
    buffer_add_json(out, text, strlen(text));
}

static void print_json(Buffer *out, const VerifyReport *report) {
    buffer_format(out,
                  "{\"verified\":%s,\"made_by_hone\":%s,\"quantization\":", report->problems.count ? "false" : "true",
                  report->made_by_hone ? "true" : "false");
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
    buffer_add_text(out, "]}");
}

static void print_people(Buffer *out, const VerifyReport *report) {
    for (size_t i = 0; i < report->problems.count; i++)
        buffer_format(out, "problem: %s\n", report->problems.texts[i]);
    if (report->made_by_hone)
        buffer_format(out, "%zu files as hone.json tells of them, ", report->files);
    else
        buffer_add_text(out, "no hone.json to compare with, ");
    buffer_format(out, "%zu real, %zu int8 and %zu 4-bit tensors read\n", report->real_tensors, report->int8_tensors,
                  report->four_bit_tensors);
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
        "tells which programs load it. Exit code 1 when something is not as it was written.\n",
    .settings_bytes = 0,
    .json = true,
    .run = run,
};
