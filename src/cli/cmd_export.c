// SPDX-License-Identifier: Apache-2.0
// hone export: a model folder as ONNX files in the layout that Hugging Face's optimum loads.
#include <string.h>

#include "cli/command.h"
#include "compress/rewrite.h"
#include "format/onnx/export.h"
#include "format/onnx/onnx.h"
#include "format/onnx/write.h"
#include "model/model.h"
#include "pass/levels.h"
#include "pass/pass.h"

typedef struct Settings {
    const char *output, *format, *parts, *external_data, *optimize;
    int64_t opset;
} Settings;

enum { OPSET_LAST = 22 };

static const Option options[] = {
    {"output", 'o', "OUT", "the folder to write", OPTION_TEXT, offsetof(Settings, output)},
    {"format", 0, "NAME", "what to write (default: onnx)", OPTION_TEXT, offsetof(Settings, format), .choices = "onnx"},
    {"opset", 0, "N", "ONNX's opset (default: 14, or the lowest above it that can)", OPTION_INT,
     offsetof(Settings, opset), .low = ONNX_WRITE_FIRST, .high = OPSET_LAST},
    {"parts", 0, "A,B", "some of encoder, decoder, decoder_with_past, merged (default: all)", OPTION_TEXT,
     offsetof(Settings, parts)},
    {"external-data", 0, "SIZE", "tensors go into FILE_data when a file would have more than that (default: 1G)",
     OPTION_TEXT, offsetof(Settings, external_data)},
    {"optimize", 0, "LEVEL", "passes as 'hone opt --level' runs them (default: 0, none)", OPTION_TEXT,
     offsetof(Settings, optimize), .choices = "0|1|2|99"},
    {0},
};

typedef struct PartReport {
    bool wanted;
    size_t nodes; // with those of bodies
    OnnxWritten written;
} PartReport;

typedef struct Export {
    CommandRun *run;
    const Settings *settings;
    const Model *model;
    char *staging;
    size_t external_bytes;
    PartReport parts[EXPORT_PART_COUNT];
} Export;

static Status parts_choose(Export *e, Error *err) {
    const char *list = e->settings->parts ? e->settings->parts : "encoder,decoder,decoder_with_past,merged";
    for (const char *at = list; *at;) {
        size_t bytes = strcspn(at, ","), part = 0;
        while (part < EXPORT_PART_COUNT &&
               (strlen(export_part_names[part]) != bytes || memcmp(at, export_part_names[part], bytes) != 0))
            part++;
        if (part == EXPORT_PART_COUNT)
            return FAIL(err, ERR_USAGE,
                        "--parts is '%s', expected some of encoder, decoder, decoder_with_past, merged with commas "
                        "between",
                        list);
        e->parts[part].wanted = true;
        at += bytes + (at[bytes] == ',');
    }
    for (size_t part = 0; part < EXPORT_PART_COUNT; part++)
        if (e->parts[part].wanted)
            return OK;
    return FAIL(err, ERR_USAGE, "--parts is empty");
}

static size_t nodes_count(const Graph *graph) {
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        count += node->op != OP_INPUT;
        for (size_t i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_GRAPH)
                count += nodes_count(node->attributes[i].graph);
    }
    return count;
}

static Status part_write(Export *e, ExportPart part, Error *err) {
    const Settings *settings = e->settings;
    const SessionModel *session = model_session(e->model);
    ExportSource source = {session->encode, session->decode, session->head,
                           settings->opset ? settings->opset : ONNX_WRITE_FIRST};
    OnnxWriteSettings write = {.opset = settings->opset,
                               .external_bytes = e->external_bytes,
                               .producer_version = HONE_VERSION,
                               .written = &e->parts[part].written};
    Graph *graph;
    const char **names, *passes[LEVEL_MOST_PASSES];
    TRY(export_part(e->run->arena, &source, part, &graph, &names, err));
    int level = settings->optimize ? (int)strtol(settings->optimize, NULL, 10) : 0;
    size_t count = level_passes((LevelWish){.level = level}, passes);
    TRY(passes_run(graph, passes, count, &(PassInputs){0}, NULL, NULL, err));
    e->parts[part].nodes = nodes_count(graph);
    char *path = path_join(e->run->arena, e->staging, export_part_files[part], err);
    TRY_NEW(path);
    return onnx_write(path, graph, names, &write, err);
}

static Status file_copy(Export *e, const char *name, Error *err) {
    char *from = path_join(e->run->arena, model_info(e->model)->folder, name, err);
    TRY_NEW(from);
    if (path_kind(from) != PATH_FILE)
        return OK;
    char *to = path_join(e->run->arena, e->staging, name, err);
    Bytes bytes;
    TRY_NEW(to);
    TRY(file_map(e->run->arena, from, &bytes, err));
    return file_replace(to, bytes.data, bytes.size, err);
}

static Status folder_fill(Export *e, Error *err) {
    char **names;
    size_t count;
    TRY(folder_list(e->run->arena, model_info(e->model)->folder, &names, &count, err));
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], "config.json") == 0 || rewrite_copies(names[i]))
            TRY(file_copy(e, names[i], err));
    for (ExportPart part = 0; part < EXPORT_PART_COUNT; part++)
        if (e->parts[part].wanted)
            TRY(part_write(e, part, err));
    return OK;
}

static void report(Export *e) {
    Buffer *out = &e->run->out.text;
    size_t weights = model_info(e->model)->weight_bytes;
    const char *between = "";
    if (e->run->common.json)
        buffer_format(out, "{\"weight_bytes\":%zu,\"files\":[", weights);
    for (ExportPart part = 0; part < EXPORT_PART_COUNT; part++) {
        const PartReport *p = &e->parts[part];
        if (!p->wanted)
            continue;
        buffer_format(out,
                      e->run->common.json
                          ? "%s{\"part\":\"%s\",\"file\":\"%s\",\"opset\":%lld,\"nodes\":%zu,\"bytes\":%llu,"
                            "\"external_bytes\":%llu}"
                          : "%s%-18s %-30s opset %lld, %zu nodes, %llu bytes and %llu of external data",
                      between, export_part_names[part], export_part_files[part], (long long)p->written.opset, p->nodes,
                      (unsigned long long)p->written.bytes, (unsigned long long)p->written.external_bytes);
        between = e->run->common.json ? "," : "\n";
    }
    if (e->run->common.json)
        buffer_add_text(out, "]}");
}

static Status run(CommandRun *run, Error *err) {
    Export e = {.run = run, .settings = run->settings};
    const char *output = e.settings->output;
    bool onnx;
    if (!output)
        return FAIL(err, ERR_USAGE, "expected -o OUT, the folder to write");
    TRY(parts_choose(&e, err));
    if (e.settings->external_data)
        TRY(option_size("external-data", e.settings->external_data, &e.external_bytes, err));
    TRY(onnx_is_file(run->arena, run->arguments[0], &onnx, err));
    if (onnx)
        return FAIL(err, ERR_UNSUPPORTED, "'%s' is an ONNX file already; exported are model folders and checkpoints",
                    run->arguments[0]);
    TRY(folder_stage_check(run->arena, output, false, err));
    TRY(model_open(run->arena, run->arguments[0], false, &e.model, err));
    TRY(folder_stage(run->arena, output, false, &e.staging, err));
    Status status = folder_fill(&e, err);
    if (status == OK)
        status = folder_commit(e.staging, output, err);
    if (status != OK) {
        folder_discard(e.staging);
        return status;
    }
    report(&e);
    return output_line(&run->out, err);
}

const Command command_export = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Writes a model as ONNX files beside its settings and tokenizer, in the layout that optimum's\n"
        "ORTModelForSeq2SeqLM loads. Weights keep their type: F16 and BF16 are cast where they are used, int8 rows\n"
        "dequantized, 4 bits decoded.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
