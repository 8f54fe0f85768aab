// SPDX-License-Identifier: Apache-2.0
// hone report: the page of evidence that 'hone optimize --report' writes, from the document it was drawn from.
#include "cli/command.h"
#include "compress/report.h"

typedef struct Settings {
    const char *out;
} Settings;

static const Option options[] = {
    {"out", 'o', "FILE", "write the page here (default: standard output)", OPTION_TEXT, offsetof(Settings, out)},
    {0},
};

// The document itself, or the member "evidence" of what holds one, as hone.json does.
static Status evidence_read(Arena *arena, const char *path, const json_t **ret_evidence, Error *err) {
    bool folder = path_kind(path) == PATH_FOLDER;
    if (folder) {
        const char *model = path;
        TRY_NEW(path = path_join(arena, path, "hone.json", err));
        if (path_kind(path) == PATH_NONE)
            return FAIL(err, ERR_FORMAT, "folder '%s' has no hone.json, expected a model that 'hone optimize' made",
                        model);
    }
    json_t *document;
    TRY(json_read(arena, path, false, &document, err));
    const json_t *inside = json_object_get(document, "evidence");
    if (folder && !inside)
        return FAIL(err, ERR_FORMAT, "file '%s' has no member 'evidence': the model was not made by 'hone optimize'",
                    path);
    *ret_evidence = inside ? inside : document;
    return OK;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const char *path = run->arguments[0];
    const json_t *evidence = NULL;
    TRY(evidence_read(run->arena, path, &evidence, err));
    Buffer page = {0};
    Buffer *out = settings->out ? &page : &run->out.text;
    Status status = report_html(run->arena, evidence, out, err);
    if (status == ERR_FORMAT || status == ERR_LIMIT)
        status = error_context(err, "file '%s'", path);
    if (status == OK && settings->out)
        status = file_replace(settings->out, page.data, page.bytes, err);
    buffer_done(&page);
    return status;
}

const Command command_report = {
    .arguments = "EVIDENCE.json|MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Draws the evidence of a search as one HTML page that stands alone: what was measured, loss against speed and\n"
        "size, sensitivity, layers, outputs side by side, and how it was measured. The evidence is a document that\n"
        "'hone optimize' wrote, or a model that it made, whose hone.json holds one.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run,
};
